"""`python -m pipeline` is `cio-pipeline`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
