"""The command line: which commands there are, and what the process tells its caller."""

from pipeline.cli.entry import main

__all__ = ["main"]
