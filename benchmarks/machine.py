"""What the figures were measured on."""

import os
import platform
import time
from pathlib import Path
from typing import Final

import psutil
import torch

from services.encoder.threads import usable_cpus

_TELLING_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "bf16", "i8mm")
_BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware, as far as Linux says."""
    return not _BFLOAT16_FLAGS.isdisjoint(_cpu_flags())


class OtherProcesses:
    """What everybody else took of the CPUs since this was made: figures of a busy machine say little."""

    def __init__(self) -> None:
        self._begin = _busy_seconds()
        self._began = time.perf_counter()

    def share(self) -> float:
        """Of all CPUs, 0 to 1; of processes that this one started only those that have ended are known as its own."""
        capacity = (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        return max(0.0, _busy_seconds() - self._begin) / capacity


def describe(compute_type: str, others: float) -> str:
    """One line: CPU, instruction sets, torch, the encoder's compute type, and the share that `others` took."""
    model = _cpu_field("model name", "CPU part") or platform.processor() or platform.machine()
    flags = [flag for flag in _TELLING_FLAGS if flag in _cpu_flags()]
    return (
        f"{model}, {usable_cpus()} of {os.cpu_count()} cores, {' '.join(flags) or 'flags unknown'}; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; encoder computes in {compute_type}; "
        f"Python {platform.python_version()}; other processes took {others:.1%} of the CPUs meanwhile"
    )


def _busy_seconds() -> float:
    """CPU seconds of other processes, and what the hypervisor took."""
    system, own = psutil.cpu_times(), os.times()
    everybody = sum(getattr(system, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal"))
    return everybody - own.user - own.system - own.children_user - own.children_system


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
