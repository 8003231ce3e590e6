"""Mutual TLS between a server and a peer, with an authority made for the test."""

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local.processes import free_port
from services.common.channels import open_peer
from services.common.errors import Unavailable
from services.common.security import server_credentials
from services.common.server import open_server
from services.common.settings import ServiceSettings, SettingsError, TransportSettings
from tests.common.conftest import NAME, ScriptedServicer, registration
from zhiyin.encoder.v1 import encoder_service_pb2 as pb


async def fine():
    return pb.GetModelResponse(max_tokens=7)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return trustme.CA(), tmp_path_factory.mktemp("tls")


def files_of(authority, name):
    ca, directory = authority
    certificate = ca.issue_cert("127.0.0.1", "localhost")
    paths = {part: str(directory / f"{name}-{part}.pem") for part in ("certificate", "key", "authority")}
    certificate.cert_chain_pems[0].write_to_path(paths["certificate"])
    certificate.private_key_pem.write_to_path(paths["key"])
    ca.cert_pem.write_to_path(paths["authority"])
    return {f"tls_{part}_file": path for part, path in paths.items()}


async def max_tokens(address, **settings):
    async with open_peer("encoder", address, TransportSettings(**settings)) as peer:
        call = peer.unary(f"/{NAME}/GetModel", pb.GetModelRequest, pb.GetModelResponse)
        return (await call(pb.GetModelRequest(), at_most=3.0)).max_tokens


async def test_a_peer_with_a_certificate_is_served_and_one_without_is_not(authority):
    settings = ServiceSettings(**files_of(authority, "server"))
    async with open_server(settings, [registration(ScriptedServicer(fine))]) as address:
        assert await max_tokens(address, **files_of(authority, "client")) == 7
        with pytest.raises(Unavailable):
            await max_tokens(address)
        strangers = (trustme.CA(), authority[1])
        with pytest.raises(Unavailable):
            await max_tokens(address, **files_of(strangers, "stranger"))


async def test_probes_are_answered_in_plaintext_on_a_port_that_serves_nothing_else(authority):
    probe = f"127.0.0.1:{free_port()}"
    settings = ServiceSettings(**files_of(authority, "probed"), tls_health_bind=probe)
    async with (
        open_server(settings, [registration(ScriptedServicer(fine))]),
        grpc.aio.insecure_channel(probe) as channel,
    ):
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=NAME), timeout=5)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        other = channel.unary_unary(f"/{NAME}/GetModel", request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await other(b"", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_some_of_the_three_files_are_a_mistake():
    with pytest.raises(SettingsError, match="set all three or none"):
        server_credentials(TransportSettings(tls_key_file="key.pem"))
