"""Crews that come to grief, each in a way of its own; for `SIDECAR_CREW`."""

from __future__ import annotations

import os
import signal
import time

from crewai.flow import Flow
from crewai.flow.flow import start


class Killed(Flow):  # type: ignore[type-arg]
    _skip_auto_memory: bool = True

    @start()
    def work(self) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"


class Slow(Flow):  # type: ignore[type-arg]
    _skip_auto_memory: bool = True

    @start()
    def work(self) -> str:
        time.sleep(60)
        return "never"


class Hungry(Flow):  # type: ignore[type-arg]
    _skip_auto_memory: bool = True

    @start()
    def work(self) -> str:
        raise MemoryError


class Mistaken(Flow):  # type: ignore[type-arg]
    _skip_auto_memory: bool = True

    @start()
    def work(self) -> str:
        raise ValueError("the shop is closed")
