"""Files that are there whole or not at all, whatever happens while they are written."""

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Puts `text` in the place of a file, by one rename, on disk when it returns."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def sync_tree(directory: Path) -> None:
    """Returns when everything below a directory is on disk."""
    for parent, _, names in os.walk(directory):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))


def sync(path: Path) -> None:
    """Returns when a file, or the entries of a directory, are on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
