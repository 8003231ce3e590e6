"""An index version: what one collection of the index was made with."""

from dataclasses import dataclass

from services.retrieval.geometry import Vector


@dataclass(frozen=True, slots=True)
class Model:
    """Identity of a language model; vectors of two are never compared."""

    name: str
    revision: str
    dims: int


@dataclass(frozen=True, slots=True, eq=False)
class IndexVersion:
    """Binds a collection to the model, the mean vector and the analyser that its points were made with."""

    catalog: str
    number: int
    """1 for the first of a catalogue."""
    model: Model
    mean: Vector
    """What centring takes away; shape (dims,)."""
    analyser_version: int

    @property
    def collection(self) -> str:
        """Name of the collection. A dot cannot occur in a catalogue's name, so that no two names meet."""
        return f"{alias_of(self.catalog)}.{self.number}"


def alias_of(catalog: str) -> str:
    """The name under which a catalogue's active collection is found."""
    return f"zhiyin.{catalog}"
