"""What the load generator asks: one class per protocol, all of them asynchronous and thin."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

import grpc

from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.encoder.v1 import encoder_service_pb2 as encoder_pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as encoder_rpc
from zhiyin.gateway.v1 import gateway_service_pb2 as gateway_pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as gateway_rpc

RESULTS: Final = 20
"""Results of one search, for every system."""
CALL_SECONDS: Final = 10.0
_VISITORS: Final = 500
_OPTIONS: Final = [("grpc.use_local_subchannel_pool", 1)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    problem: str = ""
    """Why the answer does not count, in a word or two; empty = it does."""
    remark: str = ""
    """What a full answer lacks all the same."""
    trace_id: str = ""
    """32 hex digits; empty where there is no trace."""


class Client(Protocol):
    """One system under load."""

    async def ask(self, text: str) -> Answer:
        """Sends one query and waits for the answer."""
        ...


class SearchClient:
    """Our Search, over gRPC."""

    def __init__(self, channel: grpc.aio.Channel, *, is_traced: bool) -> None:
        self._search = gateway_rpc.GatewayServiceStub(channel).Search
        self._flags = "01" if is_traced else "00"
        self._asked = 0

    async def ask(self, text: str) -> Answer:
        """One first page. Found by words alone or left unranked, it is no answer: less was done for it."""
        self._asked += 1
        trace_id = secrets.token_hex(16)
        header = f"00-{trace_id}-{secrets.token_hex(8)}-{self._flags}"
        request = gateway_pb.SearchRequest(
            query=text, page_size=RESULTS, visitor_id=f"visitor-{self._asked % _VISITORS}"
        )
        try:
            reply = await self._search(request, timeout=CALL_SECONDS, metadata=(("traceparent", header),))
        except grpc.aio.AioRpcError as error:
            return Answer(error.code().name)
        missing = [DegradationKind.Name(part.kind).removeprefix("DEGRADATION_KIND_") for part in reply.degradations]
        harmless = [kind for kind in missing if kind == "NOT_PERSONALISED"]
        if len(missing) > len(harmless):
            return Answer("+".join(missing))
        if len(reply.results) != RESULTS:
            return Answer("TOO_FEW_RESULTS")
        return Answer(remark="+".join(harmless), trace_id=trace_id)


class RecommendClient:
    """Our Recommend, over gRPC; a query is the id of a visitor."""

    def __init__(self, channel: grpc.aio.Channel, *, is_traced: bool) -> None:
        self._recommend = gateway_rpc.GatewayServiceStub(channel).Recommend
        self._flags = "01" if is_traced else "00"

    async def ask(self, text: str) -> Answer:
        """One first page. One that lacks a source, or the ranker's order, is no answer: less was done for it."""
        trace_id = secrets.token_hex(16)
        header = f"00-{trace_id}-{secrets.token_hex(8)}-{self._flags}"
        request = gateway_pb.RecommendRequest(visitor_id=text, page_size=RESULTS)
        try:
            reply = await self._recommend(request, timeout=CALL_SECONDS, metadata=(("traceparent", header),))
        except grpc.aio.AioRpcError as error:
            return Answer(error.code().name)
        missing = [DegradationKind.Name(part.kind).removeprefix("DEGRADATION_KIND_") for part in reply.degradations]
        if missing:
            return Answer("+".join(missing))
        if len(reply.recommendations) != RESULTS:
            return Answer("TOO_FEW_RESULTS")
        return Answer(trace_id=trace_id)


class EncodeClient:
    """Our encoder, one query in a call."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._encode = encoder_rpc.EncoderServiceStub(channel).EncodeTexts

    async def ask(self, text: str) -> Answer:
        """One query in the interactive lane."""
        request = encoder_pb.EncodeTextsRequest(texts=[text], purpose=encoder_pb.PURPOSE_QUERY)
        try:
            await self._encode(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return Answer(error.code().name)
        return Answer()


class AlternativeClient:
    """The alternative's search, over HTTP/1.1 connections that are kept.

    Written on bare streams: a comfortable HTTP client costs about as much as a gRPC call, and its time would be
    counted against the alternative on a machine that both share.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, text: str) -> Answer:
        """One page."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        path = f"/search?query={quote(text)}&size={RESULTS}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode("ascii"))
        try:
            async with asyncio.timeout(CALL_SECONDS):
                head, body = await _reply(reader)
        except TimeoutError:
            writer.close()
            return Answer("DEADLINE_EXCEEDED")
        self._idle.append((reader, writer))
        if not head.startswith(b"HTTP/1.1 200"):
            return Answer("HTTP_" + head.split()[1].decode("ascii"))
        return Answer("" if len(json.loads(body)["results"]) == RESULTS else "TOO_FEW_RESULTS")

    async def close(self) -> None:
        """Closes the connections."""
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()


async def _reply(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one reply that states its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return head, await reader.readexactly(int(length))


def open_client(kind: str, address: str, *, is_traced: bool) -> AbstractAsyncContextManager[Client]:
    """A client by its kind, `search`, `recommend`, `encode` or `alternative`, for host:port.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "alternative":
        return _open_alternative(address)
    if kind not in {"search", "recommend", "encode"}:
        raise ValueError(f"no such kind of client: {kind}")
    return _open_grpc(kind, address, is_traced=is_traced)


@asynccontextmanager
async def _open_grpc(kind: str, address: str, *, is_traced: bool) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        if kind == "encode":
            yield EncodeClient(channel)
        else:
            client = RecommendClient if kind == "recommend" else SearchClient
            yield client(channel, is_traced=is_traced)


@asynccontextmanager
async def _open_alternative(address: str) -> AsyncIterator[Client]:
    host, _, port = address.rpartition(":")
    client = AlternativeClient(host, int(port))
    try:
        yield client
    finally:
        await client.close()
