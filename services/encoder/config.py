"""Settings of the encoder."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.common.settings import Count, Seconds, ServiceSettings


class EncoderSettings(ServiceSettings):
    """What the encoder can be told."""

    bind: str = Field("127.0.0.1:50051", description="Host and port to listen on; port 0 = any free one.")
    encoder_model: str | None = Field(
        None,
        description="Directory of a Hugging Face or sentence-transformers model, or a hub id (`owner/name` or "
        "`owner/name@revision`), which is downloaded. Absent = the built-in multilingual-e5-small, without a download.",
    )
    encoder_cache_directory: Path = Field(
        Path("~/.cache/zhiyin"),
        description="Where the built-in model is unpacked once (470 MB) and small results are kept; `~` is the home.",
    )
    encoder_query_prompt: str | None = Field(
        None, description="Prompt before queries, for a model whose files name none; goes before what they say."
    )
    encoder_document_prompt: str | None = Field(
        None, description="Prompt before documents, for a model whose files name none; goes before what they say."
    )
    encoder_max_tokens: Count | None = Field(
        None, description="Longest text in tokens, where the model allows more; what is beyond is truncated."
    )
    encoder_device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="Device; `auto` = the first GPU, or the CPU."
    )
    encoder_compute_type: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Element type to compute in; `auto` = the fastest one here that keeps cosine 0.999 to float32.",
    )
    encoder_threads: Count | None = Field(
        None, description="Threads that compute; absent = the CPUs of this process's affinity and cgroup quota."
    )
    encoder_max_texts: Count = Field(256, description="Texts in one call; more are INVALID_ARGUMENT.")
    encoder_max_characters: Count = Field(
        100_000, description="Characters of one text; a longer one is INVALID_ARGUMENT."
    )
    encoder_max_total_characters: Count = Field(
        1_000_000, description="Characters of all texts in one call; more are INVALID_ARGUMENT."
    )
    encoder_batch_tokens: Count = Field(
        1024,
        description="Tokens of one batch, padding included; at least the model's longest text. More suits a GPU "
        "(16384); on a CPU it makes interactive texts wait longer behind bulk ones and is no faster.",
    )
    encoder_batch_texts: Count = Field(256, description="Texts of one batch.")
    encoder_batch_overhead_tokens: Count = Field(
        32,
        description="What one more batch costs, in tokens: a text that would add more padding opens a new batch. "
        "A GPU's is higher (2048).",
    )
    encoder_interactive_queue_tokens: Count = Field(
        16_384, description="Tokens that may wait in the interactive lane; beyond it calls are RESOURCE_EXHAUSTED."
    )
    encoder_bulk_queue_tokens: Count = Field(
        131_072, description="Tokens that may wait in the bulk lane; beyond it calls are RESOURCE_EXHAUSTED."
    )
    encoder_queue_texts: Count = Field(8192, description="Texts that may wait in each lane.")
    encoder_tokenising_characters: Count = Field(
        4_000_000, description="Characters that are being tokenised at any moment; beyond it RESOURCE_EXHAUSTED."
    )
    encoder_health_idle_seconds: Seconds = Field(
        10.0, description="After so long without a batch the health check runs a text of one word through the worker."
    )
    encoder_health_seconds: Seconds = Field(
        5.0, description="Time that the health check's text may take before health turns NOT_SERVING."
    )
