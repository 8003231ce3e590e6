"""`zhiyin show` and `zhiyin delete`."""

from collections.abc import Iterator
from typing import Annotated, Final

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table

from cli.gateway import open_gateway
from cli.options import DEFAULT_GATEWAY, CatalogOption, GatewayOption, JsonOption, TimeoutOption
from cli.output import RESULTS, plain, write_json
from cli.running import FAILED, run
from cli.search_results import amount
from zhiyin.common.v1.product_pb2 import AttributeValue, Availability, Offer, Product
from zhiyin.common.v1.write_pb2 import ProductWriteResult, WriteOutcome

IDS_IN_ONE_CALL: Final = 500


def show(
    product_id: Annotated[str, typer.Argument(help="Id of the product.", show_default=False)],
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Show a product as it was imported."""

    async def work() -> int:
        async with open_gateway(gateway, catalog=catalog, seconds=timeout) as peer:
            product = await peer.product(product_id)
        if as_json:
            write_json(MessageToDict(product, preserving_proto_field_name=True))
        else:
            RESULTS.print(_product_table(product))
        return 0

    run(work)


def delete(
    product_ids: Annotated[list[str], typer.Argument(help="Ids of the products.", show_default=False)],
    catalog: CatalogOption = "default",
    gateway: GatewayOption = DEFAULT_GATEWAY,
    timeout: TimeoutOption = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Delete products. Can be repeated: a product that is not there is no failure."""

    async def work() -> int:
        ids = list(dict.fromkeys(product_ids))
        results: list[ProductWriteResult] = []
        async with open_gateway(gateway, catalog=catalog, seconds=timeout) as peer:
            for start in range(0, len(ids), IDS_IN_ONE_CALL):
                results.extend((await peer.delete(ids[start : start + IDS_IN_ONE_CALL])).results)
        if as_json:
            write_json({"results": [MessageToDict(result, preserving_proto_field_name=True) for result in results]})
        else:
            for result in results:
                RESULTS.print(plain(_outcome(result)), soft_wrap=True)
        refused = any(result.outcome == WriteOutcome.WRITE_OUTCOME_REJECTED for result in results)
        return FAILED if refused else 0

    run(work)


def _outcome(result: ProductWriteResult) -> str:
    name = WriteOutcome.Name(result.outcome).removeprefix("WRITE_OUTCOME_").lower().replace("_", " ")
    why = "; ".join(f"{violation.field}: {violation.description}" for violation in result.violations)
    return f"{result.product_id}: {name}{f' ({why})' if why else ''}"


def _product_table(product: Product) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _fields(product):
        if value:
            table.add_row(plain(name), plain(value))
    return table


def _fields(product: Product) -> Iterator[tuple[str, str]]:
    yield "id", product.id
    yield "title", product.title
    yield "brand", product.brand
    yield from (("category", path) for path in product.categories)
    yield "description", product.description
    yield "language", product.language_code
    yield from (("image", image.uri) for image in product.images)
    yield from ((name, getattr(product, name)) for name in ("uri", "sku", "gtin"))
    yield "variant of", product.primary_product_id
    if product.rating.count:
        yield "rating", f"{product.rating.average:.2f} of 5 from {product.rating.count:,}"
    if product.HasField("sales_count"):
        yield "units sold", f"{product.sales_count:,}"
    yield "first offered", _time(product.create_time) if product.HasField("create_time") else ""
    yield "last changed", _time(product.update_time) if product.HasField("update_time") else ""
    yield from ((name, _attribute(product.attributes[name])) for name in sorted(product.attributes))
    yield from ((f"offer {offer.region}".strip(), _offer(offer)) for offer in product.offers)
    yield "etag", product.etag


def _time(timestamp: Timestamp) -> str:
    return timestamp.ToJsonString()


def _attribute(value: AttributeValue) -> str:
    if value.HasField("flag"):
        return "yes" if value.flag else "no"
    numbers = ", ".join(f"{number:g}" for number in value.numbers)
    return ", ".join(value.texts) or f"{numbers} {value.unit}".strip()


def _offer(offer: Offer) -> str:
    price = amount(offer.price).plain if offer.HasField("price") else ""
    before = f"instead of {amount(offer.original_price).plain}" if offer.HasField("original_price") else ""
    stock = Availability.Name(offer.availability).removeprefix("AVAILABILITY_").lower().replace("_", " ")
    quantity = f"{offer.quantity:,} units" if offer.HasField("quantity") else ""
    return ", ".join(part for part in (price, before, "" if stock == "unspecified" else stock, quantity) if part)
