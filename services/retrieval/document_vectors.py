"""Vectors of documents: kept ones where the text is unchanged, else from the encoder."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.common.errors import FailedPrecondition, InvalidArgument, PeerTimeout, ServiceError
from services.retrieval.documents import Document
from services.retrieval.geometry import CentredVector, centre
from services.retrieval.index_version import IndexVersion, Model
from services.retrieval.indexing_ports import DocumentEncoder, IndexingMeter, KeptVector, VectorStore
from services.retrieval.pauses import Pause

ENCODER: Final = "encoder:"
"""Prefix of the part that a model's encoder is; the model's revision follows."""
_MOST_TEXTS: Final = 256
"""Texts that the encoder takes in one call."""


class DocumentVectors:
    """Gets vectors, and leaves an encoder alone that has just failed."""

    def __init__(self, store: VectorStore, encoder: DocumentEncoder, meter: IndexingMeter, pause: Pause) -> None:
        self._store = store
        self._encoder = encoder
        self._meter = meter
        self._pause = pause
        self._texts_at_once: dict[str, int] = {}

    async def of(self, version: IndexVersion, documents: Mapping[str, Document]) -> tuple[dict[str, KeptVector], int]:
        """Vectors by product id, as many as there are; and how many of them were encoded now.

        Raises:
            Unavailable: the database is away.
        """
        if not documents:
            return {}, 0
        revision = version.model.revision
        kept = await self._store.kept(version.catalog, revision, list(documents))
        current = {
            product_id: kept[product_id]
            for product_id, document in documents.items()
            if product_id in kept and kept[product_id].text_digest == document.text_digest
        }
        absent = [product_id for product_id in documents if product_id not in current][: self._most(revision)]
        if not absent or self._pause.holds(ENCODER + revision):
            return current, 0
        try:
            fresh = await self._encode(version.model, {product_id: documents[product_id] for product_id in absent})
        except ServiceError as error:
            self._failed(revision, len(absent), error)
            return current, 0
        await self._store.keep(version.catalog, revision, fresh)
        self._pause.end(ENCODER + revision)
        self._texts_at_once[revision] = min(_MOST_TEXTS, 2 * self._most(revision))
        return current | fresh, len(fresh)

    def _most(self, revision: str) -> int:
        return self._texts_at_once.get(revision, _MOST_TEXTS)

    def _failed(self, revision: str, texts: int, error: ServiceError) -> None:
        if isinstance(error, PeerTimeout):
            # Fewer at once, so that a slow encoder gets on, if slowly; those left out wait for the next pass.
            self._texts_at_once[revision] = max(1, texts // 2)
        hold(self._pause, self._meter, ENCODER + revision, error)

    async def _encode(self, model: Model, documents: Mapping[str, Document]) -> dict[str, KeptVector]:
        """Encodes documents; a text that the encoder refuses is left out, and the others do not suffer for it."""
        ids = list(documents)
        try:
            vectors = await self._encoder.encode_documents([documents[i].text for i in ids], model)
        except InvalidArgument:
            if len(ids) == 1:
                self._meter.text_refused(ids[0])
                return {ids[0]: KeptVector(documents[ids[0]].text_digest, b"")}
            half = len(ids) // 2
            first, second = ids[:half], ids[half:]
            return {
                **await self._encode(model, {i: documents[i] for i in first}),
                **await self._encode(model, {i: documents[i] for i in second}),
            }
        return {i: KeptVector(documents[i].text_digest, data) for i, data in zip(ids, vectors, strict=True)}


def centred(kept: KeptVector | None, version: IndexVersion) -> CentredVector | None:
    """A kept vector relative to the version's mean; None where there is none, or it has no direction."""
    if kept is None or not kept.data:
        return None
    return centre(np.frombuffer(kept.data, "<f2").astype(np.float32), version.mean)


def hold(pause: Pause, meter: IndexingMeter, part: str, error: ServiceError) -> None:
    """Leaves a part alone that has failed."""
    # A wrong model does not become right in a moment.
    at_least = 5.0 if isinstance(error, FailedPrecondition) else 0.0
    seconds = pause.begin(part, max(error.retry_after or 0.0, at_least))
    meter.part_away(part, error, seconds)
