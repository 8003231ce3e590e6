"""Pages of results: fetched, and shown to people or as JSON."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from google.type.money_pb2 import Money
from rich.table import Table
from rich.text import Text

from cli.facets import show_facets
from cli.output import NOTES, RESULTS, plain
from cli.pages import Fetched, fetch_pages
from zhiyin.common.v1.degradation_pb2 import Degradation, DegradationKind
from zhiyin.common.v1.explanation_pb2 import Explanation, FactorRole
from zhiyin.common.v1.result_set_pb2 import ResultSet
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

SHOWN_TOKEN: Final = 12
_WITHOUT: Final = {
    DegradationKind.DEGRADATION_KIND_LEXICAL_ONLY: "found by words only",
    DegradationKind.DEGRADATION_KIND_SEMANTIC_ONLY: "found by meaning only",
    DegradationKind.DEGRADATION_KIND_NOT_RANKED: "in retrieval's order, not ranked",
    DegradationKind.DEGRADATION_KIND_NOT_PERSONALISED: "not personalised",
    DegradationKind.DEGRADATION_KIND_SCORES_INCOMPLETE: "some scores are missing",
    DegradationKind.DEGRADATION_KIND_NOT_YET_SEARCHABLE: "not yet searchable",
    DegradationKind.DEGRADATION_KIND_WITHOUT_CO_OCCURRENCE: "without what others choose together",
    DegradationKind.DEGRADATION_KIND_STALE_POPULARITY: "what is popular is missing or old",
    DegradationKind.DEGRADATION_KIND_WITHOUT_CONTENT: "without what is alike",
    DegradationKind.DEGRADATION_KIND_WITHOUT_TEXTS: "without what the visitor wrote",
}


Request = pb.SearchRequest | pb.ListSimilarProductsRequest
Reply = pb.SearchResponse | pb.ListSimilarProductsResponse


class Lists(Protocol):
    """The part of a gateway that lists results."""

    async def search(self, request: pb.SearchRequest) -> pb.SearchResponse:
        """One page. Raises ServiceError."""

    async def similar(self, request: pb.ListSimilarProductsRequest) -> pb.ListSimilarProductsResponse:
        """One page. Raises ServiceError."""


class Page(Fetched[Reply]):
    """One page of results, and how it came about."""

    @property
    def result_set(self) -> ResultSet | None:
        """What the list is the first of; only the first page of a search has it."""
        reply = self.response
        return reply.result_set if isinstance(reply, pb.SearchResponse) and reply.HasField("result_set") else None


async def pages_of(gateway: Lists, request: Request, count: int) -> list[Page]:
    """The first `count` pages, or as many as there are. Each is a trace of its own.

    Raises:
        ServiceError: the gateway refused, or was not reached.
    """

    async def one_page(request: Request) -> Reply:
        if isinstance(request, pb.SearchRequest):
            return await gateway.search(request)
        return await gateway.similar(request)

    return [Page(page.response, page.trace_id, page.seconds) for page in await fetch_pages(one_page, request, count)]


def show_pages(pages: Sequence[Page], *, explain: bool) -> None:
    """Results of all pages in one table, and below it what else the replies say."""
    results = [result for page in pages for result in page.response.results]
    if results:
        RESULTS.print(_table(results))
    else:
        RESULTS.print("nothing found")
    if (result_set := pages[0].result_set) is not None:
        show_facets(result_set)
        _note_relaxed(result_set)
    for result in results if explain else ():
        RESULTS.print(plain(f"{result.position} ", "bold"), formula(result.explanation), soft_wrap=True)
    for page in pages:
        RESULTS.print(_footer(page), soft_wrap=True)
        for degradation in page.response.degradations:
            NOTES.print(degraded(degradation), soft_wrap=True)
    if pages[-1].response.next_page_token:
        RESULTS.print(
            plain("there are more: --pages N, or --next with the next_page_token of --json", "dim"), soft_wrap=True
        )


def _table(results: Sequence[pb.SearchResult]) -> Table:
    table = Table(header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("title", ratio=3)
    table.add_column("brand")
    table.add_column("category", ratio=2)
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for result in results:
        product = result.product
        table.add_row(
            str(result.position),
            title(result.product.title, result.other_variant_count),
            plain(product.brand),
            plain(next(iter(product.categories), "")),
            amount(product.offer.price) if product.offer.HasField("price") else "",
            f"{result.score:.4f}",
        )
    return table


def title(of_product: str, other_variants: int) -> Text:
    """The title of a product, and how many further variants of it there are."""
    more = f"  +{other_variants:,} variant{'s' if other_variants > 1 else ''}" if other_variants else ""
    return plain(of_product).append_text(plain(more, "dim"))


def _note_relaxed(result_set: ResultSet) -> None:
    if result_set.relaxed_fields:
        dropped = ", ".join(path.removeprefix("filter.") for path in result_set.relaxed_fields)
        NOTES.print(plain(f"nothing fitted, so these parts of the filter were dropped: {dropped}", "yellow"))


def amount(money: Money) -> Text:
    """`12.90 USD`."""
    value = Decimal(money.units) + Decimal(money.nanos).scaleb(-9)
    digits = max(2, -int(value.normalize().as_tuple().exponent))
    return plain(f"{value:.{digits}f} {money.currency_code}")


def formula(explanation: Explanation) -> Text:
    """A score as the sum of its terms times its multipliers, and the inputs that are shown beside it."""
    terms = " + ".join(_factors(explanation, FactorRole.FACTOR_ROLE_TERM)) or "0"
    multipliers = [f" × {factor}" for factor in _factors(explanation, FactorRole.FACTOR_ROLE_MULTIPLIER)]
    inputs = ", ".join(_factors(explanation, FactorRole.FACTOR_ROLE_INPUT))
    text = plain(f"{explanation.scorer}: ({terms}){''.join(multipliers)}", "cyan")
    return text.append("\n    ").append_text(plain(inputs, "dim")) if inputs else text


def _factors(explanation: Explanation, role: "FactorRole.ValueType") -> Iterator[str]:
    for factor in explanation.factors:
        # NaN is an input that is not known.
        if factor.role == role and not math.isnan(factor.value):
            yield f"{factor.name} {factor.value:.4g}"


def _footer(page: Page) -> Text:
    reply = page.response
    whole = "" if page.result_set is None else f"{_size(page.result_set)} · "
    share = reply.personal_share if isinstance(reply, pb.SearchResponse) else 0.0
    personal = f" · {share:.0%} personal" if share else ""
    return footer(page, f"{whole}{len(reply.results)} of {reply.total_size} places", personal)


def footer(page: Fetched[Any], shown: str, more: str = "") -> Text:
    """The line below a page: what is shown, how long it took, and what to send along."""
    reply = page.response
    policy = f" · policy {reply.policy}" if reply.policy else ""
    token = f" · attribution {reply.attribution_token[:SHOWN_TOKEN]}…" if reply.attribution_token else ""
    took = f"{page.seconds * 1000:.1f} ms"
    return plain(f"{shown} in {took}{policy}{more}{token} · trace {page.trace_id}", "dim")


def _size(result_set: ResultSet) -> str:
    """`137 results`; `500 or more results` where there may be more than were looked at."""
    more = " or more" if result_set.truncated else ""
    return f"{result_set.size:,}{more} result{'' if result_set.size == 1 and not more else 's'}"


def degraded(degradation: Degradation) -> Text:
    """What a reply had to do without, and why."""
    what = _WITHOUT.get(degradation.kind, "a part is missing")
    return plain(f"degraded: {what} ({degradation.component}: {degradation.reason})", "yellow")
