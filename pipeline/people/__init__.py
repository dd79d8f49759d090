"""What the pipeline knows about people, to leave out calls that would only cost money."""
