"""What a process has used so far, as the Linux kernel counts it."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Final

__all__ = ["cpu_ns", "peak_rss_kb", "raise_open_files", "rss_kb"]

_CPUCLOCK_SCHED: Final = 2
"""linux/posix-timers.h: the clock of what was really run, in nanoseconds."""


def cpu_ns(pid: int) -> int:
    """CPU nanoseconds of all threads of `pid`, ended ones too, its children not.

    The clock of clock_getcpuclockid(3); /proc/PID/stat has the same in steps of 10 ms.
    """
    return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)


def rss_kb(pid: int) -> int:
    """Resident memory in KiB."""
    return _status(pid, "VmRSS")


def peak_rss_kb(pid: int) -> int:
    """The most resident memory that `pid` ever had, in KiB."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/status has no {name}")


def raise_open_files(wanted: int) -> bool:
    """Allow this process and its children `wanted` open files; False when the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return False
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return True
