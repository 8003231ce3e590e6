"""What a shop decides about a catalogue: kept in versions, each put into force by the indexer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from services.common.errors import Aborted, NotFound, Violation, invalid
from services.retrieval.attributes import AttributeType
from services.retrieval.requests import page_size, require
from services.retrieval.signals import IndexingSignals
from services.retrieval.units import is_unit
from services.retrieval.validation import too_long, too_many

_LAST_VERSION: Final = 2**31 - 1


class AttributeUse(Enum):
    """What searches do with an attribute."""

    SEARCHABLE = auto()
    FILTERABLE = auto()
    FACETABLE = auto()


@dataclass(frozen=True, slots=True)
class GivenAttribute:
    """A declaration as a caller sends it; None = no value that the enum has."""

    name: str
    type: AttributeType | None
    unit: str = ""
    uses: Sequence[AttributeUse | None] = ()


@dataclass(frozen=True, slots=True)
class SettingsDraft:
    """Settings that somebody wants."""

    attributes: Sequence[GivenAttribute]
    content: bytes
    """The message without its output fields, in one form for equal settings."""
    etag: str = ""
    """The version that the caller thinks is the latest; empty = any."""


class SettingsState(Enum):
    """How far a version of the settings is in force."""

    APPLYING = auto()
    IN_FORCE = auto()
    SUPERSEDED = auto()


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """One version of a catalogue's settings."""

    number: int
    """1 for the first; 0 = the catalogue has none yet."""
    content: bytes
    create_time: datetime | None
    latest: int
    """Number of the latest version."""
    in_force: int | None
    """Version that the index of searches is made by; None = there is no index yet, and nothing to wait for."""

    @property
    def state(self) -> SettingsState:
        """How far it is in force. A superseded version stays so until the latest one is."""
        if self.number == (self.latest if self.in_force is None else self.in_force):
            return SettingsState.IN_FORCE
        return SettingsState.APPLYING if self.number == self.latest else SettingsState.SUPERSEDED

    @property
    def etag(self) -> str:
        """Opaque to callers; that of no settings can be sent too."""
        return f"{self.number:x}"


@dataclass(frozen=True, slots=True)
class SettingsLimits:
    """How much settings may hold, and lists of them show."""

    attributes: int = 200
    attribute_name_characters: int = 64
    page: int = 20
    largest_page: int = 100


class SettingsTransaction(Protocol):
    """A change of one catalogue's settings; nobody writes to the catalogue meanwhile."""

    async def latest(self) -> SettingsVersion:
        """The latest version; number 0 where there is none."""

    async def add(self, number: int, content: bytes) -> SettingsVersion:
        """Makes a version, and has every live index version made by it."""


class SettingsStore(Protocol):
    """Where settings are kept."""

    def transaction(self, catalog: str) -> AbstractAsyncContextManager[SettingsTransaction]:
        """Opens a transaction; leaving it without an exception commits."""

    async def find(self, catalog: str, number: int) -> SettingsVersion | None:
        """One version, 0 = the latest; None where there is none."""

    async def page(self, catalog: str, before: int, limit: int) -> Sequence[SettingsVersion]:
        """Versions below `before`, latest first; at least one where there is one."""


class CatalogSettings:
    """The settings of all catalogues."""

    def __init__(self, store: SettingsStore, signals: IndexingSignals, limits: SettingsLimits) -> None:
        self._store = store
        self._signals = signals
        self._limits = limits

    async def get(self, catalog: str, number: int) -> SettingsVersion:
        """One version; 0 = the latest, which is an empty one where there is none.

        Raises:
            InvalidArgument: the number is negative.
            NotFound: there is no such version.
            Unavailable: the database is away.
        """
        if number < 0:
            raise invalid("version", "must not be negative", "OUT_OF_RANGE")
        found = await self._store.find(catalog, number)
        if found is None and number > 0:
            raise NotFound("there is no such version", reason="SETTINGS_NOT_FOUND", metadata={"version": str(number)})
        return found or SettingsVersion(0, b"", None, 0, None)

    async def update(self, catalog: str, draft: SettingsDraft | None) -> SettingsVersion:
        """Makes a new version; the latest one where nothing changes. None = the request has no settings.

        Raises:
            InvalidArgument: names every rule that the settings break.
            Aborted: the etag is not that of the latest version.
            Unavailable: the database is away.
        """
        if draft is None:
            raise invalid("settings", "must be given", "REQUIRED")
        require(list(settings_violations(draft, self._limits)))
        async with self._store.transaction(catalog) as transaction:
            latest = await transaction.latest()
            # Before the etag: an update that is repeated because its answer was lost has changed the etag itself.
            if latest.content == draft.content:
                return latest
            if draft.etag not in {"", latest.etag}:
                raise Aborted("settings.etag: is not that of the latest version", reason="ETAG_MISMATCH")
            added = await transaction.add(latest.number + 1, draft.content)
        self._signals.wake_indexer()
        return added

    async def page(self, catalog: str, size: int, before: int) -> Sequence[SettingsVersion]:
        """Versions before one, 0 = from the latest; latest first.

        Raises:
            InvalidArgument: a number is negative.
            Unavailable: the database is away.
        """
        limit = page_size(size, self._limits.page, self._limits.largest_page)
        if before < 0:
            raise invalid("before_version", "must not be negative", "OUT_OF_RANGE")
        return await self._store.page(catalog, before or _LAST_VERSION, limit)


def settings_violations(draft: SettingsDraft, limits: SettingsLimits) -> Iterator[Violation]:
    """Every rule that settings break."""
    yield from too_many("settings.attributes", len(draft.attributes), limits.attributes)
    names = Counter(attribute.name for attribute in draft.attributes)
    for position, attribute in enumerate(draft.attributes[: limits.attributes]):
        field = f"settings.attributes[{position}]"
        yield from _name_violations(field, attribute.name, limits)
        if names[attribute.name] > 1:
            yield Violation(f"{field}.name", "must not repeat", "DUPLICATE")
        yield from _type_violations(field, attribute)
        yield from _use_violations(field, attribute)


def _name_violations(field: str, name: str, limits: SettingsLimits) -> Iterator[Violation]:
    if not name:
        yield Violation(f"{field}.name", "must be given", "REQUIRED")
    yield from too_long(f"{field}.name", name, limits.attribute_name_characters)


def _type_violations(field: str, attribute: GivenAttribute) -> Iterator[Violation]:
    if attribute.type is None:
        yield Violation(f"{field}.type", "must be text, number or boolean", "REQUIRED")
    if attribute.unit and attribute.type is not AttributeType.NUMBER:
        yield Violation(f"{field}.unit", "belongs to numbers only", "INVALID")
    elif not is_unit(attribute.unit):
        yield Violation(f"{field}.unit", "must be a unit of measurement, `cm` or `g`", "UNKNOWN_UNIT")


def _use_violations(field: str, attribute: GivenAttribute) -> Iterator[Violation]:
    if not attribute.uses:
        yield Violation(f"{field}.uses", "must name at least one use", "REQUIRED")
    if None in attribute.uses:
        yield Violation(f"{field}.uses", "must be values of the enum", "OUT_OF_RANGE")
    if AttributeUse.SEARCHABLE in attribute.uses and attribute.type is not AttributeType.TEXT:
        yield Violation(f"{field}.uses", "SEARCHABLE belongs to texts only", "INVALID")
