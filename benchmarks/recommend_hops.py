"""Where the time of one recommendation goes, from its spans."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.report import Better, Row
from local.spans import Span, read_trace

_ARRIVAL_SECONDS: Final = 10.0
_ARRIVAL_PAUSE: Final = 0.5
_READ_AT_ONCE: Final = 8
_QDRANT: Final = "qdrant."


@dataclass(frozen=True, slots=True)
class RecommendHops:
    """Milliseconds of one recommendation. A call is seen from the caller, a service from the inside."""

    total: float
    profile_call: float
    profile: float
    together_call: float
    together: float
    candidates_call: float
    candidates: float
    qdrant: float
    """All round trips, seen from retrieval."""
    round_trips: int
    ranker_call: float
    ranker: float

    @property
    def retrieval_own(self) -> float:
        """What retrieval does itself."""
        return self.candidates - self.qdrant

    @property
    def gateway_own(self) -> float:
        """What the gateway does itself: every call waits for the one before."""
        return self.total - self.profile_call - self.together_call - self.candidates_call - self.ranker_call

    @property
    def between(self) -> float:
        """Between services: gRPC at both ends, the network, waiting for an event loop."""
        calls = self.profile_call + self.together_call + self.candidates_call + self.ranker_call
        return calls - self.profile - self.together - self.candidates - self.ranker


async def read_hops(address: str, trace_ids: Sequence[str]) -> list[RecommendHops]:
    """The hops of every trace that has wholly arrived at the span receiver; waits some seconds for the last one."""
    end = asyncio.get_running_loop().time() + _ARRIVAL_SECONDS
    while trace_ids and hops_of(await read_trace(address, trace_ids[-1])) is None:
        if asyncio.get_running_loop().time() > end:
            break
        await asyncio.sleep(_ARRIVAL_PAUSE)
    found: list[RecommendHops] = []
    for i in range(0, len(trace_ids), _READ_AT_ONCE):
        traces = await asyncio.gather(*(read_trace(address, each) for each in trace_ids[i : i + _READ_AT_ONCE]))
        found += [hops for hops in map(hops_of, traces) if hops is not None]
    return found


def hops_of(spans: Sequence[Span]) -> RecommendHops | None:
    """The hops of one trace; None where a span that they need is not there."""
    times: dict[tuple[str, str], float] = {}
    for span in spans:
        key = span.kind, span.name.rpartition("/")[2]
        times[key] = times.get(key, 0.0) + span.seconds * 1000
    trips = [span.seconds * 1000 for span in spans if span.kind == "client" and span.name.startswith(_QDRANT)]
    calls = ("GetUserProfile", "ListCoOccurring", "RecommendCandidates", "RankRecommendations")
    needed = [("server", "Recommend"), *((kind, name) for name in calls for kind in ("client", "server"))]
    if not trips or not all(each in times for each in needed):
        return None
    return RecommendHops(
        total=times["server", "Recommend"],
        profile_call=times["client", "GetUserProfile"],
        profile=times["server", "GetUserProfile"],
        together_call=times["client", "ListCoOccurring"],
        together=times["server", "ListCoOccurring"],
        candidates_call=times["client", "RecommendCandidates"],
        candidates=times["server", "RecommendCandidates"],
        qdrant=sum(trips),
        round_trips=len(trips),
        ranker_call=times["client", "RankRecommendations"],
        ranker=times["server", "RankRecommendations"],
    )


def hop_rows(hops: Sequence[RecommendHops]) -> list[Row]:
    """Medians; those of parts need not add up to that of the whole, and Qdrant's calls overlap."""
    if not hops:
        return []
    trips = sum(each.round_trips for each in hops) / len(hops)
    return [
        _row("gateway, all of it", [each.total for each in hops], f"{len(hops)} recommendations alone"),
        _row("  profile", [each.profile for each in hops]),
        _row("  what goes together", [each.together for each in hops]),
        _row("  candidates", [each.candidates for each in hops]),
        _row("    Qdrant", [each.qdrant for each in hops], f"{trips:.2f} calls, seen from retrieval"),
        _row("    retrieval's own work", [each.retrieval_own for each in hops]),
        _row("  ranker", [each.ranker for each in hops]),
        _row("  gateway's own work", [each.gateway_own for each in hops]),
        _row("  between the services", [each.between for each in hops]),
    ]


def _row(name: str, milliseconds: Sequence[float], note: str = "") -> Row:
    return Row(name, "ms, p50", median(milliseconds), better=Better.LOWER, note=note)
