"""Carries changes from the outbox to the index: read, encode, write, and only then take out of the outbox.

A change is carried at least once. What is written is always the product as it stands now, and one process at a time
writes, so an older version never replaces a newer one. Offers are read and written in one step that the pass of the
offers (`offers_indexing.py`) never interrupts, so neither overwrites the other's with older ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from services.common.errors import NotFound, ServiceError, Unavailable
from services.retrieval.analysis import has_analyser
from services.retrieval.current_offers import CurrentOffers
from services.retrieval.document_vectors import ENCODER, DocumentVectors, centred, hold
from services.retrieval.documents import Document, DocumentRules, document_of
from services.retrieval.index_version import IndexVersion
from services.retrieval.indexing_ports import (
    BatchReport,
    IndexedProduct,
    IndexingMeter,
    IndexWriter,
    KeptVector,
    Outbox,
    PendingChange,
    Versions,
)
from services.retrieval.isolation import write_each
from services.retrieval.pauses import Pause

__all__ = ["BatchIndexer", "BatchReport", "IndexedProduct", "KeptVector", "PendingChange"]

VERSION: Final = "version:"
"""Prefix of the part that an index version is; its name follows."""


class BatchIndexer:
    """Indexes one batch of changes."""

    def __init__(
        self,
        outbox: Outbox,
        offers: CurrentOffers,
        vectors: DocumentVectors,
        versions: Versions,
        writer: IndexWriter,
        meter: IndexingMeter,
        rules: DocumentRules,
        pause: Pause,
    ) -> None:
        self._outbox = outbox
        self._offers = offers
        self._vectors = vectors
        self._versions = versions
        self._writer = writer
        self._meter = meter
        self._rules = rules
        self._pause = pause

    async def take(self, limit: int) -> Sequence[PendingChange]:
        """The next changes worth trying. Raises Unavailable where the database is away."""
        return await self._outbox.take(
            limit, without_vectors=self._pause.held(ENCODER), without=self._pause.held(VERSION)
        )

    async def index(self, changes: Sequence[PendingChange]) -> BatchReport:
        """Indexes changes, version by version.

        Raises:
            NotFound: a version's collection is gone, which the next check makes anew; the others did not wait for it.
            ServiceError: the database or the index is away; what was not settled is taken again.
        """
        report, lost = BatchReport(taken=len(changes)), list[NotFound]()
        for key, group in groupby(sorted(changes, key=_key), key=_key):
            part = f"{VERSION}{key[0]}.{key[1]}"
            try:
                version = await self._versions.version(*key)
            except ServiceError as error:
                # A first version needs the encoder. Other catalogues do not wait for this one.
                hold(self._pause, self._meter, part, error)
                continue
            if version is None:  # deleted meanwhile, and its entries with it
                continue
            try:
                report += await self._index_version(version, list(group))
            except Unavailable:
                raise  # the whole index is away
            except NotFound as error:
                lost.append(error)
                continue
            except ServiceError as error:
                hold(self._pause, self._meter, part, error)
                continue
            self._pause.end(part)
        if lost:
            raise lost[0]
        return report

    async def _index_version(self, version: IndexVersion, changes: Sequence[PendingChange]) -> BatchReport:
        documents = self._documents(version, changes)
        kept, encoded = await self._vectors.of(version, documents)
        products = [
            IndexedProduct(
                change, change.content, change.product, document, centred(kept.get(change.product_id), version)
            )
            for change in changes
            if change.product is not None and change.content is not None
            for document in (documents[change.product_id],)
        ]
        removed = [change for change in changes if change.product is None]
        # A change that waits for its vector, and still has none, is written already.
        to_write = [p for p in products if p.product.id in kept or not p.pending.words_indexed]
        given_up = await self._write(version, to_write)
        if removed:
            await self._writer.remove(version, [change.product_id for change in removed])
        written = [p.pending for p in to_write if p.pending not in given_up]
        done = [change for change in written if change.product_id in kept]
        words_only = [change for change in written if change.product_id not in kept]
        await self._outbox.settle([*done, *removed], words_only)
        return BatchReport(
            indexed=len(done),
            words_only=len(words_only),
            removed=len(removed),
            encoded=encoded,
            reused=len(done) - encoded,
            given_up=len(given_up),
        )

    def _documents(self, version: IndexVersion, changes: Sequence[PendingChange]) -> Mapping[str, Document]:
        rules, with_words = version.rules or self._rules, has_analyser(version.analyser_version)
        return {
            change.product_id: document_of(change.product, rules, version.coming, with_words=with_words)
            for change in changes
            if change.product is not None
        }

    async def _write(self, version: IndexVersion, products: Sequence[IndexedProduct]) -> list[PendingChange]:
        """Writes products; returns what was given up, those that the index refuses and nothing else."""

        async def write(part: Sequence[IndexedProduct]) -> None:
            async with self._offers.of(version.catalog, [p.product.id for p in part]) as offers:
                await self._writer.write(version, [replace(p, offers=offers.get(p.product.id, ())) for p in part])

        refusals = await write_each(products, write)
        for refusal in refusals:
            await self._outbox.give_up(refusal.item.pending, refusal.reason)
            self._meter.gave_up(refusal.item.pending, refusal.reason)
        return [refusal.item.pending for refusal in refusals]


def _key(change: PendingChange) -> tuple[str, int]:
    return change.key
