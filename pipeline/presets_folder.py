"""Where the mappings that come with the program are."""

from pathlib import Path


def presets_folder() -> Path:
    """Return the folder: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "presets"
    return installed if installed.is_dir() else package.parent / "mappings"
