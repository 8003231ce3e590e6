"""Collections and aliases on disk: one directory per collection, with a shard of the engine in it."""

import os
import shutil
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import qdrant_edge as edge
from google.protobuf import json_format
from qdrant_client import grpc as pb

from local.qdrant.found import FoundPoints
from local.qdrant.refusals import RefusedError, bad_input, engine_errors, no_collection, not_served, refuse_fields
from local.qdrant.requests import DISTANCES

CREATION = "collection.json"
# Serialised payloads per collection: those of 50,000 products of 1 kB with room to spare.
KEPT_BYTES = 128 * 1024 * 1024
FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*\0') | {chr(code) for code in range(32)}


class Collection:
    """A collection: how it was created, and its open shard."""

    def __init__(self, creation: pb.CreateCollection, shard: edge.EdgeShard, directory: Path) -> None:
        self.creation = creation
        self.shard = shard
        self.directory = directory
        self.found = FoundPoints(shard, KEPT_BYTES)
        self.indexed_fields: dict[str, str] = {}
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

    def update(self, operation: edge.UpdateOperation) -> None:
        """Applies a write: in the write-ahead log, and visible, when it returns."""
        self._written = True
        self.shard.update(operation)

    def flush(self) -> None:
        """Stores what was written since the last time, after which the engine shortens its log."""
        if self._written:
            self._written = False
            self.shard.flush()

    def read_indexed_fields(self) -> None:
        """Sets `indexed_fields`: the type of the index, in lower case, by field of the payload."""
        schema = self.shard.info().payload_schema
        self.indexed_fields = {key: str(index.data_type).rpartition(".")[2].lower() for key, index in schema.items()}


class Collections:
    """All collections of a data directory; a context manager, which opens and closes them.

    A collection exists from the moment that `collection.json` is in its directory, and an alias from the moment
    that `aliases.json` names it: each is put in place by one rename, so a crash leaves the old state or the new.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._by_name: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        for directory in sorted(path for path in self._directory.iterdir() if path.is_dir()):
            if (directory / CREATION).exists():
                self._open(directory)
            else:  # half made or half deleted when the process ended
                shutil.rmtree(directory)
        aliases = self._directory / "aliases.json"
        if aliases.exists():
            listed = json_format.Parse(aliases.read_text(encoding="utf-8"), pb.ListAliasesResponse())
            self._aliases = {alias.alias_name: alias.collection_name for alias in listed.aliases}
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for collection in self._by_name.values():
            collection.shard.close()
        self._by_name.clear()

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        return sorted(self._by_name)

    def exists(self, name: str) -> bool:
        """Whether there is a collection or an alias of that name."""
        return self._aliases.get(name, name) in self._by_name

    def get(self, name: str) -> Collection:
        """The collection of that name or alias.

        Raises:
            RefusedError: There is none.
        """
        try:
            return self._by_name[self._aliases.get(name, name)]
        except KeyError:
            raise no_collection(name) from None

    def create(self, request: pb.CreateCollection) -> None:
        """Makes an empty collection.

        Raises:
            RefusedError: The name is taken or not allowed, or the configuration is not on the list.
        """
        name = request.collection_name
        if not 1 <= len(name) <= 255 or FORBIDDEN_IN_NAMES & set(name):
            raise bad_input("collection_name must be 1 to 255 characters without control or path characters")
        if self.exists(name):
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"Wrong input: Collection `{name}` already exists!")
        directory = self._directory / uuid.uuid4().hex
        config = configuration(request)
        directory.mkdir()
        with engine_errors():
            edge.EdgeShard.create(str(directory / "shard"), config).close()
        _write(directory / CREATION, json_format.MessageToJson(request))
        self._open(directory)

    def delete(self, name: str) -> bool:
        """Deletes a collection and what points to it; false where there is none. Takes no alias, as Qdrant."""
        collection = self._by_name.pop(name, None)
        if collection is None:
            return False
        collection.shard.close()
        (collection.directory / CREATION).unlink()
        shutil.rmtree(collection.directory)
        self._store_aliases({alias: target for alias, target in self._aliases.items() if target != name})
        return True

    def flush(self) -> None:
        """Stores what was written; keeps the logs, and with them the next start, short."""
        for collection in self._by_name.values():
            collection.flush()

    def aliases(self) -> pb.ListAliasesResponse:
        """All aliases, sorted by name."""
        pairs = sorted(self._aliases.items())
        return pb.ListAliasesResponse(
            aliases=[pb.AliasDescription(alias_name=alias, collection_name=name) for alias, name in pairs]
        )

    def change_aliases(self, request: pb.ChangeAliases) -> None:
        """Applies all actions in one atomic step.

        Raises:
            RefusedError: A collection or an alias is not there, or an alias would hide a collection.
        """
        aliases = dict(self._aliases)
        for action in request.actions:
            self._change_alias(aliases, action)
        self._store_aliases(aliases)

    def _change_alias(self, aliases: dict[str, str], action: pb.AliasOperations) -> None:
        kind = action.WhichOneof("action")
        if kind == "create_alias":
            target, alias = action.create_alias.collection_name, action.create_alias.alias_name
            if target not in self._by_name:
                raise no_collection(target)
            if alias in self._by_name:
                raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"Wrong input: Collection `{alias}` already exists!")
            aliases[alias] = target
        elif kind == "delete_alias":
            aliases.pop(action.delete_alias.alias_name, None)
        elif kind == "rename_alias":
            old = action.rename_alias.old_alias_name
            if old not in aliases:
                raise RefusedError(grpc.StatusCode.NOT_FOUND, f"Not found: Alias {old} does not exists!")
            aliases[action.rename_alias.new_alias_name] = aliases.pop(old)
        else:
            raise bad_input("an alias action is empty")

    def _store_aliases(self, aliases: dict[str, str]) -> None:
        self._aliases = aliases
        _write(self._directory / "aliases.json", json_format.MessageToJson(self.aliases()))

    def _open(self, directory: Path) -> None:
        creation = json_format.Parse((directory / CREATION).read_text(encoding="utf-8"), pb.CreateCollection())
        shard = edge.EdgeShard.load(str(directory / "shard"))
        self._by_name[creation.collection_name] = Collection(creation, shard, directory)


def configuration(request: pb.CreateCollection) -> edge.EdgeConfig:
    """The engine's configuration: named dense vectors, named sparse ones, the write-ahead log on.

    Settings that only say how an index is built or stored (HNSW, optimisers, memory) are taken and ignored:
    this engine searches exactly.

    Raises:
        RefusedError: More than one shard, quantisation, or a vector of a kind that is not on the list.
    """
    refuse_fields(request, "quantization_config", "sharding_method")
    if request.shard_number > 1:
        raise not_served("more than one shard")
    if request.vectors_config.WhichOneof("config") == "params":
        raise not_served("a vector without a name")
    dense = {name: dense_vector(params) for name, params in request.vectors_config.params_map.map.items()}
    sparse = {name: sparse_vector(params) for name, params in request.sparse_vectors_config.map.items()}
    return edge.EdgeConfig(vectors=dense, sparse_vectors=sparse, wal_enabled=True)


def dense_vector(params: pb.VectorParams) -> edge.EdgeVectorParams:
    """A named dense vector."""
    refuse_fields(params, "quantization_config", "multivector_config")
    if params.distance not in DISTANCES:
        raise not_served(f"Distance {pb.Distance.Name(params.distance)}")
    if not 1 <= params.size <= 65536:
        raise bad_input("size of a vector must be 1 to 65536")
    return edge.EdgeVectorParams(params.size, DISTANCES[params.distance])


def sparse_vector(params: pb.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    """A named sparse vector, with or without IDF."""
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.modifier == pb.Idf else None)


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
