"""Puts the encoder together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from services.common.server import Registration
from services.common.settings import SettingsError
from services.encoder.adapters.loading import LoadedModel, LoadOptions, load_model
from services.encoder.adapters.model_source import model_files
from services.encoder.adapters.telemetry import BatchMetrics, TracedEncoder
from services.encoder.batching import BatchLimits, Lane, check_batch_budget
from services.encoder.compute_type import ComputeTypeError
from services.encoder.config import EncoderSettings
from services.encoder.engine import Encoder, EngineLimits, open_encoder
from services.encoder.model import ComputeType
from services.encoder.model_directory import ModelDirectoryError, read_model_directory
from services.encoder.servicer import EncoderServicer
from services.encoder.texts import TextLimits
from services.encoder.threads import usable_cpus
from zhiyin.encoder.v1 import encoder_service_pb2 as pb
from zhiyin.encoder.v1 import encoder_service_pb2_grpc as rpc

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["EncoderService"].full_name
_BYTES_PER_TEXT: Final = 64
"""Room for what a reply says of one text besides its vector."""


@asynccontextmanager
async def open_service(settings: EncoderSettings) -> AsyncIterator[Sequence[Registration]]:
    """Loads the model, in a thread so that health is answered meanwhile, and starts its worker.

    Raises:
        SettingsError: the model or a limit that depends on it is not usable.
    """
    with model_thread() as thread:
        loaded = await asyncio.get_running_loop().run_in_executor(thread, load, settings)
        limits = engine_limits(settings)
        async with open_encoder(loaded.model, loaded.description, limits, BatchMetrics(), thread) as encoder:
            yield [_registration(encoder)]


def model_thread() -> ThreadPoolExecutor:
    """The one thread that may compute, from the first measurement on.

    Each thread that computes gets a pool of OpenMP threads of its own. Once there are more of them than CPUs, they no
    longer spin between two operations but sleep, and one short query takes twice as long (6.3 ms instead of 3.2).
    """
    return ThreadPoolExecutor(1, "encoder-compute")


def _registration(encoder: Encoder) -> Registration:
    servicer = EncoderServicer(TracedEncoder(encoder))
    return Registration(
        SERVICE_NAME, lambda server: rpc.add_EncoderServiceServicer_to_server(servicer, server), encoder.is_healthy
    )


def load(settings: EncoderSettings) -> LoadedModel:
    """Finds, reads and loads the model that the settings name.

    Raises:
        SettingsError: it is not usable, or not with these limits.
    """
    cache = settings.encoder_cache_directory.expanduser()
    demanded = settings.encoder_compute_type
    options = LoadOptions(
        device=settings.encoder_device,
        demanded=None if demanded == "auto" else ComputeType(demanded),
        threads=settings.encoder_threads or usable_cpus(),
        cache=cache,
    )
    try:
        path, name = model_files(settings.encoder_model, cache)
        directory = read_model_directory(
            path,
            name=name,
            max_tokens=settings.encoder_max_tokens,
            query_prompt=settings.encoder_query_prompt,
            document_prompt=settings.encoder_document_prompt,
        )
        check_batch_budget(engine_limits(settings).batches, directory.max_tokens)
        loaded = load_model(directory, options)
    except (ModelDirectoryError, ComputeTypeError, ValueError) as exc:
        raise SettingsError(f"the model cannot be used: {exc}") from exc
    _check_reply_size(settings, loaded.description.identity.dims)
    return loaded


def engine_limits(settings: EncoderSettings) -> EngineLimits:
    """The bounds that the settings give."""
    return EngineLimits(
        texts=TextLimits(
            max_texts=settings.encoder_max_texts,
            max_characters=settings.encoder_max_characters,
            max_total_characters=settings.encoder_max_total_characters,
        ),
        batches=BatchLimits(
            batch_tokens=settings.encoder_batch_tokens,
            batch_texts=settings.encoder_batch_texts,
            queue_tokens={
                Lane.INTERACTIVE: settings.encoder_interactive_queue_tokens,
                Lane.BULK: settings.encoder_bulk_queue_tokens,
            },
            queue_texts=settings.encoder_queue_texts,
            overhead_tokens=settings.encoder_batch_overhead_tokens,
        ),
        tokenising_characters=settings.encoder_tokenising_characters,
        idle_seconds=settings.encoder_health_idle_seconds,
        health_seconds=settings.encoder_health_seconds,
    )


def _check_reply_size(settings: EncoderSettings, dims: int) -> None:
    largest = settings.encoder_max_texts * (4 * dims + _BYTES_PER_TEXT)
    if largest > settings.max_message_bytes:
        raise SettingsError(
            f"a reply with {settings.encoder_max_texts} vectors of {dims} elements takes {largest} bytes, more than "
            f"ZHIYIN_MAX_MESSAGE_BYTES={settings.max_message_bytes}"
        )
