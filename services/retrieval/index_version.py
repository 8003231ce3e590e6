"""An index version: what one collection of the index was made with, and where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from services.common.errors import Unavailable
from services.retrieval.attributes import NONE_DECLARED, Declarations
from services.retrieval.documents import DocumentRules
from services.retrieval.geometry import Vector

_LOST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Model:
    """Identity of a language model; vectors of two are never compared."""

    name: str
    revision: str
    dims: int


@dataclass(frozen=True, slots=True, eq=False)
class IndexVersion:
    """Binds a collection to the model, the mean vector, the analyser and the rules that its points were made with."""

    catalog: str
    number: int
    """1 for the first of a catalogue."""
    model: Model
    mean: Vector
    """What centring takes away; shape (dims,)."""
    analyser_version: int
    declarations: Declarations = field(default_factory=lambda: NONE_DECLARED)
    """Attributes that searches go by."""
    coming: Declarations = field(default_factory=lambda: NONE_DECLARED)
    """Attributes that products are being indexed by; equal to `declarations` except while settings are applied."""
    rules: DocumentRules | None = None
    """How products become documents; None = made before versions kept them: as the service's settings say."""

    @property
    def collection(self) -> str:
        """Name of the collection. A dot cannot occur in a catalogue's name, so that no two names meet."""
        return f"{alias_of(self.catalog)}.{self.number}"

    @property
    def name(self) -> str:
        """As replies name it."""
        return f"{self.catalog}.{self.number}"

    @property
    def indexed(self) -> Declarations:
        """Attributes that points hold: those of the settings in force, which searches name, and of the coming ones."""
        return {**self.declarations, **self.coming}


class VersionState(Enum):
    """Where an index version stands; values as in the database."""

    BUILDING = "building"
    READY = "ready"
    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, eq=False)
class RegisteredVersion:
    """An index version as the system of record has it."""

    version: IndexVersion
    state: VersionState
    built_to: str | None
    """Id of the last product that the build has come to, "" = it begins; None = it has come to all."""
    create_time: datetime
    activate_time: datetime | None
    settings_version: int
    """Version of the catalogue's settings that searches go by; 0 = none."""
    target_settings_version: int
    """The one that products are being indexed by."""


@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How far a version is, in products."""

    products: int = 0
    """Of the catalogue, now."""
    pending: int = 0
    """Whose last change it has not got, those that its build has not come to included."""
    words_only: int = 0
    """Of the others: whose vector waits for the encoder."""
    failed: int = 0
    """That the index refused."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """A version and how far it is."""

    registered: RegisteredVersion
    counts: IndexCounts


def live(versions: Sequence[RegisteredVersion]) -> list[RegisteredVersion]:
    """Those that follow the catalogue."""
    return [version for version in versions if version.state is not VersionState.DELETED]


def alias_of(catalog: str) -> str:
    """The name under which a catalogue's active collection is found."""
    return f"zhiyin.{catalog}"


def index_lost(catalog: str) -> Unavailable:
    """A catalogue's index is gone, or not made yet; it is made from the system of record by itself."""
    return Unavailable(
        "the index of the catalogue is not there and is being made",
        reason="INDEX_LOST",
        metadata={"catalog": catalog},
        retry_after=_LOST_SECONDS,
    )
