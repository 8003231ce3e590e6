"""What the tests of lists of products share."""

import math

import grpc
import pytest

from tests.refusals import refusal
from zhiyin.common.v1 import explanation_pb2 as roles


async def refused(call):
    """What a call that has to be refused says."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def all_pages(method, request, size=10):
    """Every reply of a method from page to page."""
    pages, token = [], ""
    while True:
        request.page_token, request.page_size = token, size
        page = await method(request, timeout=10)
        pages.append(page)
        token = page.next_page_token
        if not token:
            return pages


def ids(pages):
    return [result.product.id for page in pages for result in page.results]


def score_of(explanation):
    terms = [f.value for f in explanation.factors if f.role == roles.FACTOR_ROLE_TERM]
    return sum(terms) * math.prod(f.value for f in explanation.factors if f.role == roles.FACTOR_ROLE_MULTIPLIER)


def numbered(numbers):
    return [f"p{number:03}" for number in numbers]
