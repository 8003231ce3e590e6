"""Recommendations, shown to people."""

from collections.abc import Sequence

from rich.table import Table

from cli.output import NOTES, RESULTS, plain
from cli.pages import Fetched
from cli.search_results import amount, degraded, footer, formula, title
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

Recommended = Fetched[pb.RecommendResponse]


def show_recommendations(pages: Sequence[Recommended], *, explain: bool) -> None:
    """All pages in one table with the reasons, and below it what else the replies say."""
    shown = [each for page in pages for each in page.response.recommendations]
    if shown:
        RESULTS.print(_table(shown))
    else:
        RESULTS.print("nothing can be recommended")
    for each in shown if explain else ():
        RESULTS.print(plain(f"{each.position} ", "bold"), formula(each.explanation), soft_wrap=True)
    for page in pages:
        reply = page.response
        places = f"{len(reply.recommendations)} of {reply.total_size} places from {_behaviours(reply.behaviour_count)}"
        RESULTS.print(footer(page, places), soft_wrap=True)
        for degradation in reply.degradations:
            NOTES.print(degraded(degradation), soft_wrap=True)
    if pages[-1].response.next_page_token:
        RESULTS.print(
            plain("there are more: --pages N, or --next with the next_page_token of --json", "dim"), soft_wrap=True
        )


def _behaviours(count: int) -> str:
    return f"{count:,} thing{'' if count == 1 else 's'} that the visitor did" if count else "what is popular"


def _table(recommendations: Sequence[pb.Recommendation]) -> Table:
    table = Table(header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("title", ratio=3)
    table.add_column("category", ratio=2)
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("reason", ratio=3)
    for each in recommendations:
        product = each.product
        table.add_row(
            str(each.position),
            title(product.title, each.other_variant_count),
            plain(next(iter(product.categories), "")),
            amount(product.offer.price) if product.offer.HasField("price") else "",
            f"{each.score:.4f}",
            plain(each.reason.text),
        )
    return table
