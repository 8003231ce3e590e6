"""In-memory stand-ins for the collaborators of search."""

from services.common.errors import NotFound
from services.retrieval.product_index import Card, Hit, LegHits, LegScores
from tests.retrieval.indexing_stand_ins import StubEncoder, version_of

__all__ = ["ScriptedIndex", "StubEncoder", "version_of"]


class ScriptedIndex:
    """Legs that return what a test says; notes what is asked for. Points `x` and `x1`, `x2` are variants of one."""

    def __init__(self, dense, lexical, scores=None, error=None):
        self.dense, self.lexical = dense, lexical
        self.second = scores or LegScores({}, {})
        self.error = error
        self.asked = []

    async def version(self, catalog):
        if catalog == "none":
            raise NotFound("none")
        return version_of(catalog)

    version_now = version

    async def find(self, version, legs, region, windows):
        self.asked.append(("find", *[window.size for window in windows]))
        return [
            LegHits(
                None if legs.direction is None else self._hits(self.dense, window),
                None if legs.words is None else self._hits(self.lexical, window),
            )
            for window in windows
        ]

    async def scores(self, version, legs, dense, lexical):
        self.asked.append(("scores", sorted(dense), sorted(lexical)))
        if self.error is not None:
            raise self.error
        return self.second

    def card(self, hit, region):
        return Card(f"card of {hit.point}", "")

    def _hits(self, leg, window):
        hits = [_hit(*pair) for pair in leg]
        return [hit for hit in hits if hit.group not in window.without_groups][: window.size]


def _hit(point, score):
    return Hit(point, score, f"id-{point}", f"id-{point[0]}", 1.0, 0.9)
