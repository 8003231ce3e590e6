"""What the figures were measured on."""

import os
import platform
from pathlib import Path
from typing import Final

import torch

from services.encoder.threads import usable_cpus

_TELLING_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "bf16", "i8mm")
_BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware, as far as Linux says."""
    return not _BFLOAT16_FLAGS.isdisjoint(_cpu_flags())


def describe(compute_type: str) -> str:
    """One line: CPU, cores, telling instruction sets, torch and its threads, the encoder's compute type, load."""
    model = _cpu_field("model name", "CPU part") or platform.processor() or platform.machine()
    flags = [flag for flag in _TELLING_FLAGS if flag in _cpu_flags()]
    load = f", load average {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return (
        f"{model}, {usable_cpus()} of {os.cpu_count()} cores, {' '.join(flags) or 'flags unknown'}; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; encoder computes in {compute_type}; "
        f"Python {platform.python_version()}{load}"
    )


def _cpu_flags() -> frozenset[str]:
    return frozenset(_cpu_field("flags", "Features").split())


def _cpu_field(*names: str) -> str:
    source = Path("/proc/cpuinfo")
    if source.is_file():
        for line in source.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in names:
                return value.strip()
    return ""
