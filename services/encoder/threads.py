"""How many CPUs this process may really use.

A container sees all CPUs of its host but gets the share of its quota; threads beyond that share are throttled
together and make everything slower.
"""

import os
from pathlib import Path


def usable_cpus(root: Path = Path("/")) -> int:
    """CPUs of this process's affinity, bounded by the cgroup's quota (version 2 or 1); at least 1.

    Part of a CPU does not count: a thread for it would be throttled in every period. `root` is where `proc` and
    `sys` are found.
    """
    quota = cgroup_quota(root)
    cpus = len(os.sched_getaffinity(0))
    return cpus if quota is None else max(1, min(cpus, int(quota)))


def cgroup_quota(root: Path) -> float | None:
    """CPUs that the quota allows, the smallest on the way to the top; None without a quota."""
    quotas = [
        quota
        for group in _groups(root)
        for directory in (group, *group.parents)
        if directory.is_relative_to(root / "sys/fs/cgroup")
        and (quota := _quota_v2(directory) or _quota_v1(directory)) is not None
    ]
    return min(quotas, default=None)


def _groups(root: Path) -> list[Path]:
    """This process's cgroup directories. Inside a container the listed path may not exist: then the mount's top."""
    mount = root / "sys/fs/cgroup"
    groups = [mount, mount / "cpu", mount / "cpu,cpuacct"]
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            groups.append(mount / path.lstrip("/"))
        elif "cpu" in controllers.split(","):
            groups.extend(mount / folder / path.lstrip("/") for folder in (controllers, "cpu"))
    return groups


def _quota_v2(directory: Path) -> float | None:
    quota, _, period = _read(directory / "cpu.max").strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _quota_v1(directory: Path) -> float | None:
    quota, period = (_read(directory / f"cpu.cfs_{part}_us").strip() for part in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
