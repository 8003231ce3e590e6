"""Several encoders, each with a model of its own: an index version is served by the one that has its model."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from services.common.deadlines import deadline_after
from services.common.errors import FailedPrecondition, PeerTimeout, ServiceError, Unavailable
from services.retrieval.adapters.encoder import Encoder
from services.retrieval.index_version import Model
from services.retrieval.search import EncodedQuery
from services.retrieval.version_registry import LoadedModel

Result = TypeVar("Result")


class Encoders:
    """A QueryEncoder, a DocumentEncoder and an EncoderModels."""

    def __init__(self, targets: Sequence[Encoder], query_seconds: float) -> None:
        self._targets = targets
        self._query_seconds = query_seconds
        self._by_revision: dict[str, Encoder] = {}

    async def encode_query(self, text: str, model: Model) -> EncodedQuery:
        """A query's vector. Raises ServiceError: no encoder has the model, or the one that has it is in trouble."""
        return await self._by(model, lambda encoder: encoder.encode_query(text, model))

    async def encode_documents(self, texts: Sequence[str], model: Model) -> Sequence[bytes]:
        """Vectors of product texts as float16. Raises as `encode_query`."""
        return await self._by(model, lambda encoder: encoder.encode_documents(texts, model))

    async def first(self) -> LoadedModel:
        """The model of the first target."""
        return await self._targets[0].model()

    async def all(self) -> Sequence[LoadedModel]:
        """Models of all targets that answer, each once, in the targets' order."""
        answers = await asyncio.gather(*(target.model() for target in self._targets), return_exceptions=True)
        found: dict[str, LoadedModel] = {}
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for answer in answers:
            if not isinstance(answer, BaseException):
                found.setdefault(answer.model.revision, answer)
        for failure in failures:
            if not isinstance(failure, ServiceError) or not found:
                raise failure
        return list(found.values())

    async def _by(self, model: Model, call: Callable[[Encoder], Awaitable[Result]]) -> Result:
        if len(self._targets) == 1:  # it says itself whether it has the model
            return await call(self._targets[0])
        known = self._by_revision.get(model.revision)
        if known is not None:
            try:
                return await call(known)
            except PeerTimeout:  # it is there, and somebody waits
                raise
            except (FailedPrecondition, Unavailable):
                # Restarted with another model, or gone for good: the model may have moved to another target.
                found = await self._look_up(model.revision)
                if found is known:
                    raise
                return await call(found)
        return await call(await self._look_up(model.revision))

    async def _look_up(self, revision: str) -> Encoder:
        """The target that has a model; whoever answers first, so that none waits for one that hangs."""
        self._by_revision.pop(revision, None)
        with deadline_after(self._query_seconds):
            asked = {asyncio.create_task(target.model()): target for target in self._targets}
        failure: ServiceError = FailedPrecondition("no encoder has the model", reason="MODEL_NOT_LOADED")
        try:
            for answer in asyncio.as_completed(asked):
                with suppress(ServiceError):
                    await answer
                for task, target in asked.items():
                    if task.done() and not task.cancelled() and task.exception() is None:
                        self._by_revision[task.result().model.revision] = target
                if revision in self._by_revision:
                    return self._by_revision[revision]
            errors = [task.exception() for task in asked]
            failure = next((e for e in errors if isinstance(e, ServiceError)), failure)
            raise failure
        finally:
            for task in asked:
                task.cancel()
