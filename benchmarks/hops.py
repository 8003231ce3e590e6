"""Where the time of one search goes, from its spans, beside the budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.report import Better, Row, Target
from local.spans import Span, read_trace

BUDGET_MS: Final = {"encoder": 4.5, "qdrant": 3.0, "profile": 1.0, "ranker": 2.0, "rest": 3.0}
"""Of a search alone on two cores, p50."""
_ARRIVAL_SECONDS: Final = 10.0
_ARRIVAL_PAUSE: Final = 0.5
_READ_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Hops:
    """Milliseconds of one search. A call is seen from the caller, a service from the inside."""

    total: float
    retrieval_call: float
    retrieval: float
    encoder_call: float
    encoder: float
    encoder_queue: float
    encoder_compute: float
    qdrant: float
    """All round trips, seen from retrieval."""
    round_trips: int
    ranker_call: float
    ranker: float
    profile: float

    @property
    def retrieval_own(self) -> float:
        """What retrieval does itself."""
        return self.retrieval - self.encoder_call - self.qdrant

    @property
    def gateway_own(self) -> float:
        """What the gateway does itself, and what it waits for the profile longer than for candidates."""
        return self.total - self.retrieval_call - self.ranker_call

    @property
    def between(self) -> float:
        """Between services: gRPC at both ends, the network, waiting for an event loop."""
        calls = self.retrieval_call + self.encoder_call + self.ranker_call
        return calls - self.retrieval - self.encoder - self.ranker

    @property
    def rest(self) -> float:
        """Everything but encoder, Qdrant and ranker. The profile runs beside the candidates and costs no time."""
        return self.total - self.encoder - self.qdrant - self.ranker


async def read_hops(address: str, trace_ids: Sequence[str]) -> list[Hops]:
    """The hops of every trace that has wholly arrived at the span receiver; waits some seconds for the last one."""
    end = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
    while trace_ids and hops_of(await read_trace(address, trace_ids[-1])) is None:
        if asyncio.get_running_loop().time() > end:
            break
        await asyncio.sleep(_ARRIVAL_PAUSE)
    found: list[Hops] = []
    for i in range(0, len(trace_ids), _READ_AT_ONCE):
        traces = await asyncio.gather(*(read_trace(address, each) for each in trace_ids[i : i + _READ_AT_ONCE]))
        found += [hops for hops in map(hops_of, traces) if hops is not None]
    return found


def hops_of(spans: Sequence[Span]) -> Hops | None:
    """The hops of one trace; None where a span that they need is not there."""
    times: dict[tuple[str, str], list[float]] = {}
    for span in spans:
        times.setdefault((span.kind, span.name.rpartition("/")[2]), []).append(span.seconds * 1000)
    model = next((span for span in spans if span.name.startswith("embeddings")), None)
    needed = [("server", name) for name in ("Search", "SearchCandidates", "EncodeTexts", "RankCandidates")]
    needed += [("server", "GetUserProfile"), ("client", "QueryBatch")]
    if model is None or not all(each in times for each in needed):
        return None
    return Hops(
        total=sum(times["server", "Search"]),
        retrieval_call=sum(times["client", "SearchCandidates"]),
        retrieval=sum(times["server", "SearchCandidates"]),
        encoder_call=sum(times["client", "EncodeTexts"]),
        encoder=sum(times["server", "EncodeTexts"]),
        encoder_queue=float(model.attributes["zhiyin.encoder.queue_seconds"]) * 1000,
        encoder_compute=float(model.attributes["zhiyin.encoder.compute_seconds"]) * 1000,
        qdrant=sum(times["client", "QueryBatch"]),
        round_trips=len(times["client", "QueryBatch"]),
        ranker_call=sum(times["client", "RankCandidates"]),
        ranker=sum(times["server", "RankCandidates"]),
        profile=sum(times["server", "GetUserProfile"]),
    )


def hop_rows(hops: Sequence[Hops]) -> list[Row]:
    """Medians beside the budget; those of parts need not add up to that of the whole."""
    if not hops:
        return []
    trips = sum(each.round_trips for each in hops) / len(hops)
    return [
        _row("gateway, all of it", [each.total for each in hops], note=f"{len(hops)} searches alone"),
        _row("  encoder", [each.encoder for each in hops], "encoder"),
        _row("    in its queue", [each.encoder_queue for each in hops]),
        _row("    in the model", [each.encoder_compute for each in hops]),
        _row("  Qdrant", [each.qdrant for each in hops], "qdrant", f"{trips:.2f} round trips, seen from retrieval"),
        _row("  ranker", [each.ranker for each in hops], "ranker"),
        _row("  everything else", [each.rest for each in hops], "rest"),
        _row("    gateway's own work", [each.gateway_own for each in hops]),
        _row("    retrieval's own work", [each.retrieval_own for each in hops]),
        _row("    between the services", [each.between for each in hops]),
        _row("  profile", [each.profile for each in hops], "profile", "beside the candidates"),
    ]


def _row(name: str, milliseconds: Sequence[float], budget: str = "", note: str = "") -> Row:
    target = Target(BUDGET_MS[budget]) if budget else None
    return Row(name, "ms, p50", median(milliseconds), better=Better.LOWER, target=target, note=note)
