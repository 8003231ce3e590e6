"""The same products in both systems."""

import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import grpc

from local.config import StackSettings
from local.processes import LocalError
from local.stack import Stack
from services.common.settings import load
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import WAIT_UNTIL_SEARCHABLE, WRITE_OUTCOME_CREATED
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

_BATCH: Final = 250
_IMPORT_SECONDS: Final = 60.0
_KEPT_SPANS: Final = 60_000


@asynccontextmanager
async def stack_with(products: Sequence[Product], directory: Path) -> AsyncIterator[Stack]:
    """The one-machine stack on free ports and an empty directory, with the products searchable.

    Raises:
        LocalError: it did not start, or a product did not become searchable.
    """
    ports = {field: 0 for field in StackSettings.model_fields if field.endswith("_port")}
    settings = load(StackSettings).model_copy(update={"data_dir": directory, "kept_spans": _KEPT_SPANS, **ports})
    async with Stack(settings, os.environ) as stack:
        begun = time.perf_counter()
        await _import(stack.addresses["gateway"], products)
        seconds = time.perf_counter() - begun
        sys.stderr.write(f"{len(products)} products searchable after {seconds:.1f} s\n")
        yield stack


async def _import(gateway: str, products: Sequence[Product]) -> None:
    async with grpc.aio.insecure_channel(gateway) as channel:
        stub = rpc.GatewayServiceStub(channel)
        for i in range(0, len(products), _BATCH):
            request = pb.UpsertProductsRequest(products=products[i : i + _BATCH], wait_until=WAIT_UNTIL_SEARCHABLE)
            reply = await stub.UpsertProducts(request, timeout=_IMPORT_SECONDS)
            created = sum(result.outcome == WRITE_OUTCOME_CREATED for result in reply.results)
            if created < len(request.products) or reply.degradations:
                raise LocalError(f"of {len(request.products)} products {created} were created, not all searchable")


def write_products(products: Sequence[Product], path: Path) -> None:
    """The products as the alternative reads them, JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for product in products:
            leaf = product.categories[0].rpartition(" > ")[2]
            row = {
                "id": product.id,
                "title": product.title,
                "text": f"{product.title}. {product.brand}. {leaf}",
                "sales": product.sales_count,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
