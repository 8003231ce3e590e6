"""Collections and aliases on disk: one directory per collection, with a shard of the engine in it."""

import asyncio
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
import qdrant_edge as edge
from google.protobuf import json_format
from qdrant_client import grpc as pb

from local.qdrant import shards
from local.qdrant.collection import Collection
from local.qdrant.configuration import configuration
from local.qdrant.files import replace_text
from local.qdrant.refusals import RefusedError, bad_input, engine_errors, no_collection

CREATION = "collection.json"
FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*\0') | {chr(code) for code in range(32)}


class Collections:
    """All collections of a data directory; a context manager, which opens and closes them.

    A collection exists from the moment that `collection.json` is in its directory, and an alias from the moment
    that `aliases.json` names it: each is put in place by one rename, so a crash leaves the old state or the new.
    Writers wait for `writable`, which is cleared while a shard is copied.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._by_name: dict[str, Collection] = {}
        self._aliases: dict[str, str] = {}
        self.writable = asyncio.Event()
        self.writable.set()

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
            collection.close()
        self._by_name.clear()

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        return sorted(self._by_name)

    def exists(self, name: str) -> bool:
        """Whether there is a collection or an alias of that name."""
        return self._aliases.get(name, name) in self._by_name

    def find(self, name: str) -> Collection | None:
        """The collection of that name, unless it is gone; takes no alias."""
        return self._by_name.get(name)

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
            edge.EdgeShard.create(str(shards.current(directory)), config).close()
        replace_text(directory / CREATION, json_format.MessageToJson(request))
        self._open(directory)

    def delete(self, name: str) -> bool:
        """Deletes a collection and what points to it; false where there is none. Takes no alias, as Qdrant."""
        collection = self._by_name.pop(name, None)
        if collection is None:
            return False
        being_copied = collection.journal is not None
        collection.close()
        (collection.directory / CREATION).unlink()
        if not being_copied:  # else whoever copies it removes the directory, when its process has ended
            shutil.rmtree(collection.directory, ignore_errors=True)
        self._store_aliases({alias: target for alias, target in self._aliases.items() if target != name})
        return True

    def merge_metadata(self, name: str, metadata: Mapping[str, pb.Value]) -> None:
        """Adds to a collection's metadata; a key whose value is null is removed.

        Raises:
            RefusedError: There is no collection of that name or alias.
        """
        collection = self.get(name)
        changed = pb.CreateCollection()
        changed.CopyFrom(collection.creation)
        for key, value in metadata.items():
            if value.HasField("null_value"):
                changed.metadata.pop(key, None)
            else:
                changed.metadata[key].CopyFrom(value)
        replace_text(collection.directory / CREATION, json_format.MessageToJson(changed))
        collection.creation = changed

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
        replace_text(self._directory / "aliases.json", json_format.MessageToJson(self.aliases()))

    def _open(self, directory: Path) -> None:
        creation = json_format.Parse((directory / CREATION).read_text(encoding="utf-8"), pb.CreateCollection())
        shards.remove_others(directory)
        self._by_name[creation.collection_name] = Collection(creation, directory)
