"""`zhiyin offers ...`: prices and stock, without touching texts or vectors."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.catalogue_gateway import open_catalogue
from cli.feeds.opening import open_rows
from cli.feeds.prices import amount_of
from cli.import_report import problem_report, progress_bar
from cli.offer_import import REJECTED, OfferImport, OfferSummary, refusals
from cli.offer_rows import COLUMNS, PRODUCT_ID, fields_of, unknown_columns
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, PatienceOption, TimeoutOption
from cli.output import RESULTS, note, plain, write_json
from cli.patience import Patience
from cli.problems import FieldError
from cli.rows import FileError, FileFormat, NumberStyle, ReadOptions, RowFile
from cli.running import FAILED, USAGE, CommandFailed, run
from cli.values import availability as availability_of
from cli.values import currency_code, money
from zhiyin.common.v1.product_pb2 import Offer
from zhiyin.common.v1.write_pb2 import OfferAction, OfferUpdate, OfferWriteResult, WaitUntil, WriteOutcome
from zhiyin.gateway.v1.gateway_service_pb2 import UpdateOffersResponse

_FORMATS: Final = (FileFormat.CSV, FileFormat.JSONL, FileFormat.PARQUET)
_WENT_IN: Final = frozenset(
    {
        WriteOutcome.WRITE_OUTCOME_CREATED,
        WriteOutcome.WRITE_OUTCOME_UPDATED,
        WriteOutcome.WRITE_OUTCOME_UNCHANGED,
        WriteOutcome.WRITE_OUTCOME_DELETED,
    }
)
WaitOption = Annotated[bool, typer.Option("--wait", help="Come back when filters find the change.")]
offers = typer.Typer(help="Prices and stock of products, by region.", no_args_is_help=True)


@offers.command("set")
def set_offer(
    product_id: Annotated[str, typer.Argument(help="Id of the product.", show_default=False)],
    *,
    price: Annotated[str | None, typer.Option("--price", help="What a shopper pays: `12.90 EUR`.")] = None,
    original_price: Annotated[
        str | None, typer.Option("--original-price", help="Price before a reduction: `15.00 EUR`.")
    ] = None,
    availability: Annotated[
        str | None, typer.Option("--availability", help="in_stock, out_of_stock, preorder or backorder.")
    ] = None,
    quantity: Annotated[int | None, typer.Option("--quantity", min=0, help="Units in stock.")] = None,
    region: Annotated[str, typer.Option("--region", help="Region of the offer; none = requests without one.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Remove the offer of the region instead.")] = False,
    wait: WaitOption = False,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Change one offer; what is not named stays as it is."""

    async def work() -> int:
        offer = _offer(region, price, original_price, availability, quantity)
        fields = [name for name in fields_of(COLUMNS) if _is_given(offer, name)]
        if remove is bool(fields):
            raise CommandFailed("say what to change: --price, --availability, ... or --remove alone", USAGE)
        action = OfferAction.OFFER_ACTION_REMOVE if remove else OfferAction.OFFER_ACTION_SET
        update = OfferUpdate(product_id=product_id, offer=offer, action=action)
        async with open_catalogue(gateway, catalog=catalog, seconds=timeout) as peer:
            reply = await peer.update_offers([update], fields, _until(wait=wait))
        return _show_one(reply.results[0], reply, as_json=as_json)

    run(work)


@offers.command("import")
def import_offers(
    file: Annotated[
        Path, typer.Argument(help=f"CSV, JSON lines or Parquet: {', '.join(COLUMNS)}.", show_default=False)
    ],
    *,
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code of prices that name none.")] = "",
    region: Annotated[str, typer.Option("--region", help="Region of offers that name none.")] = "",
    wait: WaitOption = False,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write every problem here, as JSON lines: line, column, code, fix.")
    ] = None,
    patience: PatienceOption = 60.0,
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Change many offers. Fields without a column stay as they are; an empty cell empties its field.

    Bad rows are reported by line, and the rest goes in. An import can be repeated.
    """

    async def work() -> int:
        started, waiting = time.monotonic(), Patience(patience)
        try:
            options = ReadOptions(currency=currency_code(currency) if currency else "", region=region)
            with (
                open_rows(file, options) as rows,
                problem_report(errors, as_json=as_json) as report,
                progress_bar(rows, shown=not as_json) as show,
            ):
                _check(file, rows)
                async with open_catalogue(gateway, catalog=catalog, seconds=timeout) as peer:

                    async def send(updates: Sequence[OfferUpdate], fields: Sequence[str]) -> UpdateOffersResponse:
                        return await peer.update_offers(updates, fields, _until(wait=wait))

                    work = OfferImport(send, rows.columns, waiting, report, show)
                    summary = await work.run(rows.rows, rows.position)
        except FileError as exc:
            raise CommandFailed(str(exc), USAGE) from exc
        except FieldError as exc:
            raise CommandFailed(f"--currency: {exc.description}", USAGE) from exc
        _show_summary(summary, time.monotonic() - started, as_json=as_json)
        return FAILED if summary.outcomes[REJECTED] else 0

    run(work)


def _offer(
    region: str, price: str | None, original_price: str | None, availability: str | None, quantity: int | None
) -> Offer:
    offer = Offer(region=region, quantity=quantity)
    for name, written in (("price", price), ("original_price", original_price)):
        if written is not None:
            try:
                amount = amount_of(written, NumberStyle.POINT)
                getattr(offer, name).CopyFrom(money(amount.value, currency_code(amount.currency)))
            except FieldError as exc:
                option = name.replace("_", "-")
                raise CommandFailed(f"--{option}: {exc.description}; write it as `12.90 EUR`", USAGE) from exc
    if availability is not None:
        try:
            offer.availability = availability_of(availability)
        except FieldError as exc:
            raise CommandFailed(f"--availability: {exc.description}", USAGE) from exc
    return offer


def _is_given(offer: Offer, name: str) -> bool:
    # An enum has no presence.
    return bool(offer.availability) if name == "availability" else offer.HasField(name)  # type: ignore[arg-type]


def _until(*, wait: bool) -> "WaitUntil.ValueType":
    return WaitUntil.WAIT_UNTIL_SEARCHABLE if wait else WaitUntil.WAIT_UNTIL_COMMITTED


def _check(path: Path, file: RowFile) -> None:
    """Refuses what is no file of offers.

    Raises:
        FileError: a column is unknown, or none says whose offers these are.
    """
    if file.file_format not in _FORMATS:
        raise FileError(f"{path}: this is {file.file_format}; offers come as {', '.join(_FORMATS)}")
    if file.columns is None:
        return
    if unknown := unknown_columns(file.columns):
        raise FileError(f"{path}: unknown columns: {', '.join(unknown)}; there are {', '.join(COLUMNS)}")
    if PRODUCT_ID not in file.columns or not fields_of(file.columns):
        raise FileError(f"{path}: needs the column {PRODUCT_ID} and at least one that is changed")


def _show_one(result: OfferWriteResult, reply: UpdateOffersResponse, *, as_json: bool) -> int:
    went_in = result.outcome in _WENT_IN
    name = WriteOutcome.Name(result.outcome).removeprefix("WRITE_OUTCOME_").lower().replace("_", " ")
    problems = [problem.as_json() for problem in refusals(0, result)]
    if as_json:
        write_json({"product_id": result.product_id, "region": result.region, "outcome": name, "problems": problems})
    else:
        why = "; ".join(f"{each['field']}: {each['description']}" for each in problems)
        RESULTS.print(plain(f"{result.product_id}: {name}{f' ({why})' if why else ''}"), soft_wrap=True)
        if reply.degradations:
            note("It is on disk, but filters did not find it in time; they follow by themselves.", "yellow")
    return 0 if went_in else FAILED


def _show_summary(summary: OfferSummary, seconds: float, *, as_json: bool) -> None:
    if as_json:
        counts = {"rows": summary.rows, **summary.outcomes}
        told = {"not_yet_searchable": summary.not_yet_searchable, "seconds": round(seconds, 3)}
        write_json({"summary": {**counts, **told}})
        return
    parts = ", ".join(f"{count:,} {name}" for name, count in summary.outcomes.items() if count)
    rate = summary.rows / max(seconds, 1e-3)
    RESULTS.print(
        f"{summary.rows:,} rows in {seconds:.1f} s ({rate:,.0f}/s): {parts or 'nothing to do'}", highlight=False
    )
    if summary.not_yet_searchable:
        note("Everything is on disk, but filters did not find all in time; they follow by themselves.", "yellow")
