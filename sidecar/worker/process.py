"""A process of ours among others: its channel, its process group, and whom it goes down with."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import Final, NoReturn

__all__ = ["abandon", "close_all_but", "detach", "die_with", "guard", "leave", "own_channel"]

_PR_SET_PDEATHSIG: Final = 1
"""linux/prctl.h"""

_guard: int | None = None
"""Pid of this process's guard."""


def own_channel(arguments: list[str], program: str) -> socket.socket:
    """The channel of a spawned process: an inherited descriptor, or on Windows a share.

    Raises SystemExit with the usage of `program` for any other arguments.
    """
    if arguments == ["--channel-share"]:
        import base64

        share = base64.b64decode(sys.stdin.readline())
        if sys.platform == "win32":
            return socket.fromshare(share)
        raise SystemExit(f"{program}: --channel-share is for Windows; use --channel FD")
    if len(arguments) == 2 and arguments[0] == "--channel" and arguments[1].isdigit():
        inherited = int(arguments[1])
        # The copy has the lowest number free, and no child of ours gets it. A gateway with
        # thousands of streams hands over numbers that select() can't take (FD_SETSIZE, 1024).
        own = os.dup(inherited)
        os.close(inherited)
        return socket.socket(fileno=own)
    raise SystemExit(f"usage: {program} --channel FD | --channel-share")


def detach() -> None:
    """Lead a session and a process group of one's own, with nothing to read on stdin.

    The group is what is killed together: a process and the children of its tools. And a
    terminal's Ctrl-C is for the gateway alone.
    """
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):  # it leads one already
            os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)


def close_all_but(*kept: int) -> None:
    """Close every descriptor of this process that is not among `kept`.

    One by one as they are listed, where the system lists them: the gateway has raised the limit on
    their number, and where there is no close_range(2) a billion closes take minutes.
    """
    try:
        opened = [int(name) for name in os.listdir("/dev/fd")]
    except (OSError, ValueError):
        opened = list(range(os.sysconf("SC_OPEN_MAX")))
    for descriptor in opened:
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # the one that listed them is closed already
                os.close(descriptor)


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when `parent`, which started it, ends; elsewhere do nothing.

    The kernel watches the *thread* that started this process (prctl(2)): in the gateway and the
    zygote that is the main thread, which ends last.
    """
    # The second question, because it may have ended before the first was asked.
    if _ask_at_death_of_parent(signal.SIGKILL) and os.getppid() != parent:
        os._exit(1)


def guard() -> None:
    """Have what is left of this process's group killed when this process ends, however it ends.

    Linux; elsewhere nothing. For who is started by the gateway itself: the kernel kills it
    together with the gateway (`die_with`), and no code of its own runs then that could take the
    children of its tools along. A forked worker has the zygote for this. Call it while there is
    one thread; it forks. The guard is a child that `leave` takes back.
    """
    global _guard
    if sys.platform != "linux":
        return
    guarded = os.getpid()
    child = os.fork()
    if child:
        _guard = child
        return
    try:
        # A SIGTERM to the group is for the others.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        close_all_but()
        if _ask_at_death_of_parent(signal.SIGUSR1):
            if os.getppid() == guarded:
                signal.sigwait({signal.SIGUSR1})
            os.killpg(0, signal.SIGKILL)
    finally:
        os._exit(1)


def leave(code: int) -> NoReturn:
    """Exit at once, past exit handlers and threads."""
    if _guard is not None and sys.platform != "win32":
        # Reaped here: where process 1 reaps nobody, each run would leave a zombie behind. What is
        # left of the group now is the gateway's to kill.
        with contextlib.suppress(OSError):
            os.kill(_guard, signal.SIGKILL)
            os.waitpid(_guard, 0)
    os._exit(code)


def abandon() -> NoReturn:
    """The gateway is gone and nobody is left to work for: take the whole group down."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _ask_at_death_of_parent(number: signal.Signals) -> bool:
    """Whether this process will get this signal when its parent's thread has ended."""
    if sys.platform != "linux":
        return False
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) == 0)
    return False
