"""One collection: how it was created, and its open shard."""

import logging
from pathlib import Path

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant import shards
from local.qdrant.found import FoundPoints
from local.qdrant.journal import Journal, Write

log = logging.getLogger(__name__)

# Serialised payloads per collection: those of 50,000 products of 1 kB with room to spare.
KEPT_BYTES = 128 * 1024 * 1024


class Collection:
    """A collection. `journal` is there while a copy of its shard is being built."""

    def __init__(self, creation: pb.CreateCollection, directory: Path) -> None:
        """Opens the shard that is in use in `directory`."""
        self.creation = creation
        self.directory = directory
        self.shard_directory = shards.current(directory)
        self.shard = edge.EdgeShard.load(str(self.shard_directory))
        self.found = FoundPoints(self.shard, KEPT_BYTES)
        self.indexed_fields: dict[str, str] = {}
        self.journal: Journal | None = None
        self.closed = False
        self._written = False
        self.read_indexed_fields()

    @property
    def name(self) -> str:
        """Its name; aliases are not its own business."""
        return self.creation.collection_name

    @property
    def strict_mode(self) -> pb.StrictModeConfig:
        """What it refuses; nothing where it was created without."""
        return self.creation.strict_mode_config

    def update(self, operation: edge.UpdateOperation, size: int) -> None:
        """Applies a write of `size` bytes: in the write-ahead log, and visible, when it returns."""
        self._written, refused = True, True
        try:
            self.shard.update(operation)
            refused = False
        finally:
            # Refused writes too: a write to ten points of which one is missing changes nine.
            if self.journal is not None:
                self.journal.add(Write(operation, size, refused))

    def flush(self) -> bool:
        """Stores what was written since the last time, after which the engine shortens its log.

        False where the engine could not, on a full disk for one: the log has it all, and the next time tries again.
        """
        if self._written:
            try:
                self.shard.flush()
            except Exception as exc:  # noqa: BLE001 - the engine has no other
                log.warning("what was written to %s was not stored, its log keeps it: %s", self.name, exc)
                return False
            self._written = False
        return True

    def replace_shard(self, shard: edge.EdgeShard, directory: Path) -> edge.EdgeShard:
        """Puts another shard in the place of this one, on disk and here, and returns the old one, still open."""
        shards.switch(self.directory, directory)
        replaced, self.shard, self.shard_directory = self.shard, shard, directory
        self.found = FoundPoints(shard, KEPT_BYTES)
        return replaced

    def read_indexed_fields(self) -> None:
        """Sets `indexed_fields`: the type of the index, in lower case, by field of the payload."""
        schema = self.shard.info().payload_schema
        self.indexed_fields = {key: str(index.data_type).rpartition(".")[2].lower() for key, index in schema.items()}

    def close(self) -> None:
        """Closes the shard; nobody waits for a copy any more."""
        self.closed = True
        if self.journal is not None:
            self.journal.give_up("the collection was closed")
        self.shard.close()
