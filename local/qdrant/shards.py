"""Where the shard of a collection lies: in the directory that the pointer names, which changes by one rename.

Every other directory of a shard was being built, or was replaced, when the process ended.
"""

import shutil
import uuid
from pathlib import Path

from local.qdrant.files import replace_text

FIRST = "shard"
POINTER = "shard.current"
# The engine does not tell how many points lie outside its graphs, or are only there because a graph needs them.
# Every segment keeps the version of each of its points, deleted or not, 8 bytes each, as of the last flush: in the
# one file where it takes writes and so has no graph, in the other where it is built.
WRITABLE, BUILT = "segments/*/mutable_id_tracker.versions", "segments/*/id_tracker.versions"
BYTES_PER_VERSION = 8


def current(collection: Path) -> Path:
    """The directory of the shard that is in use."""
    pointer = collection / POINTER
    return collection / (pointer.read_text(encoding="utf-8") if pointer.exists() else FIRST)


def switch(collection: Path, shard: Path) -> None:
    """Makes a shard the one in use. A crash leaves the old one or this one."""
    replace_text(collection / POINTER, shard.name)


def fresh(collection: Path) -> Path:
    """A directory for a new shard; not made yet."""
    return collection / f"{FIRST}-{uuid.uuid4().hex}"


def remove_others(collection: Path) -> None:
    """Removes every shard but the one in use."""
    kept = current(collection)
    for directory in collection.glob(f"{FIRST}*"):
        if directory.is_dir() and directory != kept:
            shutil.rmtree(directory, ignore_errors=True)


def outdated_points(shard: Path, points: int) -> int:
    """How many of `points` a graph does not help to find: those outside of one, or as many as were deleted in it.

    A point that was changed left the graph and lies outside: it counts once.
    """
    outside = places(shard, WRITABLE)
    deleted = outside + places(shard, BUILT) - points
    return max(outside, deleted)


def places(shard: Path, files: str) -> int:
    """Points in segments of a kind, deleted ones too."""
    return sum(path.stat().st_size for path in shard.glob(files)) // BYTES_PER_VERSION
