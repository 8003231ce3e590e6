"""`python -m local.qdrant.builder`: copies a shard that nobody writes to and builds the graphs of the copy.

A process of its own, because the engine holds the interpreter's lock until it is done. Tells its parent, a line
each, when the copy is taken and when it is built and on disk.
"""

import argparse
import os
import shutil
from pathlib import Path

import qdrant_edge as edge
from google.protobuf import json_format
from qdrant_client import grpc as pb

from local.qdrant.configuration import indexed_configuration
from local.qdrant.files import sync_tree

COPIED, BUILT = b"copied\n", b"built\n"
# Searches come first: they are what somebody waits for.
NICENESS = 19


def build(creation: Path, source: Path, target: Path, full_scan_points: int) -> None:
    """Copies `source` to `target` and builds it with the configuration of the collection."""
    request = json_format.Parse(creation.read_text(encoding="utf-8"), pb.CreateCollection())
    shutil.copytree(source, target)
    tell(COPIED)
    shard = edge.EdgeShard.load(str(target), indexed_configuration(request, full_scan_points))
    shard.optimize()
    shard.flush()
    shard.close()
    sync_tree(target)
    tell(BUILT)


def tell(what: bytes) -> None:
    """Tells the parent."""
    os.write(1, what)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.qdrant.builder")
    parser.add_argument("creation", type=Path, help="file that says how the collection was created")
    parser.add_argument("source", type=Path, help="directory of the shard to copy")
    parser.add_argument("target", type=Path, help="directory of the copy, which must not exist")
    parser.add_argument("full_scan_points", type=int, help="points up to which a filter's rest is searched exactly")
    given = parser.parse_args()
    os.nice(NICENESS)
    build(given.creation, given.source, given.target, given.full_scan_points)


if __name__ == "__main__":
    main()
