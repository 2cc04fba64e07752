"""The zygote: imports crewai once, then forks a worker on request. Linux.

The program `zygote --control FD [--listen PATH]`. FD is an AF_UNIX SOCK_SEQPACKET socket to the
gateway that started it; with PATH other gateways may connect to the same zygote (SIDECAR_ZYGOTE).
One JSON object per message:

    to a gateway       {"ready": true, "seconds": 3.1}      crewai is imported
                       {"forked": TAG, "pid": PID}          always before that PID's "exited"
                       {"exited": PID, "status": STATUS}    as from waitpid
                       {"error": TEXT, "fork": TAG}         that fork failed
                       {"error": TEXT}                      a request is wrong beyond its tag
                       {"broken": TEXT}                     import failed; then it exits. With
                           "whole": true the text says all, and the log no more than that
    from a gateway     {"fork": TAG} with one descriptor    the worker's end of its run's channel
                       {"heard": [PID, ...]}                of their "exited"

A child leads a process group of its own. One that has ended is not reaped, and its number nobody
else's, until its gateway has heard of it: the gateway signals by that number. When a gateway's
socket closes, the zygote kills its children; when FD closes, all of them, and exits. It never kicks
off a crew and stays single-threaded: a fork copies locks, but not the threads that would release
them.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from sidecar.worker import environment
from sidecar.worker.engine.versions import Unsupported
from sidecar.worker.process import close_all_but, detach, die_with

__all__ = ["Zygote", "main", "thread_count"]

_MESSAGE: Final = 4096
_BACKLOG: Final = 64


class _Gateway:
    """One gateway's control socket and its children."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: set[int] = set()
        """That live, as far as is known."""
        self.ended: set[int] = set()
        """That it was told of, and may not have heard."""

    def say(self, **message: Any) -> None:
        with contextlib.suppress(OSError):  # it is gone: the next receive tells
            self.control.send(json.dumps(message).encode())

    def look(self) -> None:
        """Tell of children that have ended."""
        for pid in tuple(self.children):
            if (status := _end(pid)) is not None:
                self.children.discard(pid)
                self.ended.add(pid)
                self.say(exited=pid, status=status)

    def heard(self, pids: Sequence[int]) -> None:
        for pid in self.ended.intersection(pids):
            self.ended.discard(pid)
            os.waitpid(pid, 0)

    def kill_all(self) -> None:
        for pid in self.children:
            _kill_group(pid)


class Zygote:
    """The owner of the control sockets and of the children."""

    def __init__(self, control: socket.socket, work: Callable[[socket.socket], NoReturn]) -> None:
        """`work` is a child's whole life, given its channel."""
        self._work = work
        self._owner = _Gateway(control)
        self._gateways = [self._owner]
        self._left: set[int] = set()
        """Children whose gateway is gone, until they are reaped."""
        self._selector = selectors.DefaultSelector()
        self._started = time.monotonic()

    def broken(self, error: BaseException) -> None:
        if isinstance(error, Unsupported):
            self._owner.say(broken=str(error), whole=True)
        else:
            traceback.print_exception(error)
            self._owner.say(broken=f"{type(error).__name__}: {error}")

    def serve(self, listener: socket.socket | None = None) -> None:
        """Fork and reap until the gateway that started this process closes its socket."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        # The handler is only there so that the signal reaches the wakeup descriptor.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        self._on(wake, lambda: self._woken(wake))
        if listener is not None:
            self._on(listener, lambda: self._enter(_Gateway(listener.accept()[0])))
        self._enter(self._owner)
        try:
            while self._owner in self._gateways:
                for key, _ in self._selector.select():
                    key.data()
        finally:
            signal.set_wakeup_fd(-1)
            for gateway in self._gateways:
                gateway.kill_all()

    def _on(self, sock: socket.socket, act: Callable[[], None]) -> None:
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _enter(self, gateway: _Gateway) -> None:
        if gateway not in self._gateways:
            self._gateways.append(gateway)
        self._on(gateway.control, lambda: self._hear(gateway))
        gateway.say(ready=True, seconds=round(time.monotonic() - self._started, 3))

    def _hear(self, gateway: _Gateway) -> None:
        if not self._receive(gateway):
            self._selector.unregister(gateway.control)
            gateway.control.close()
            gateway.kill_all()
            self._gateways.remove(gateway)
            self._left |= gateway.children | gateway.ended
            self._reap_left()

    def _receive(self, gateway: _Gateway) -> bool:
        """One request; False when the gateway is gone."""
        try:
            data, ancillary, _, _ = gateway.control.recvmsg(_MESSAGE, socket.CMSG_SPACE(4 * 4))
        except OSError:
            return False
        if not data:
            return False
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) - len(payload) % 4])
        asked: dict[str, str] = {}
        try:
            message = json.loads(data)
            if "heard" in message:
                gateway.heard(message["heard"])
                return True
            asked["fork"] = tag = str(message["fork"])
            if len(descriptors) != 1:
                raise ValueError(f"{len(descriptors)} descriptors came with it, not 1")
            self._fork(gateway, tag, descriptors[0])
        except Exception as error:
            gateway.say(error=f"fork: {type(error).__name__}: {error}", **asked)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, gateway: _Gateway, tag: str, channel: int) -> None:
        threads = thread_count()
        if threads != 1:
            raise RuntimeError(f"the zygote has {threads} threads and can't fork safely")
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(channel, parent, self._work)
        # Here and in the child, so that the group exists for whichever needs it first.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        gateway.children.add(pid)
        gateway.say(forked=tag, pid=pid)

    def _woken(self, wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(_MESSAGE)
        for gateway in self._gateways:
            gateway.look()
        self._reap_left()

    def _reap_left(self) -> None:
        for pid in tuple(self._left):
            if _end(pid) is not None:
                self._left.discard(pid)
                os.waitpid(pid, 0)


def _end(pid: int) -> int | None:
    """A child's status as from waitpid, once it and all that is left of its group have ended; None
    while it lives. It is not reaped."""
    info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if info is None:
        return None
    # What its tools have left running must not outlive the run. Before it is reaped: after that,
    # its number may be another process's.
    _kill_group(pid)
    return info.si_status << 8 if info.si_code == os.CLD_EXITED else info.si_status


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _child(channel: int, parent: int, work: Callable[[socket.socket], NoReturn]) -> NoReturn:
    """Become a worker: own group, default signals, no descriptor but the channel and stderr."""
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with(parent)
        close_all_but(0, 1, 2, channel)
        work(socket.socket(fileno=channel))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _work(channel: socket.socket) -> NoReturn:
    from sidecar.worker import main as worker

    worker.main(channel)


def thread_count() -> int:
    """This process's threads, those of C libraries included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


def main(arguments: list[str]) -> int:
    if (
        len(arguments) not in (2, 4)
        or arguments[::2] != ["--control", "--listen"][: len(arguments) // 2]
    ):
        print("usage: zygote --control FD [--listen PATH]", file=sys.stderr)
        return 2
    control = socket.socket(fileno=int(arguments[1]))
    control.set_inheritable(False)
    detach()
    zygote = Zygote(control, _work)
    try:
        environment.prepare()
        from sidecar.worker import main as worker  # noqa: F401  (children use the worker)
        from sidecar.worker.engine import warm

        warm.up()
        threads = thread_count()
        if threads != 1:
            raise RuntimeError(f"importing crewai left {threads} threads; forking would be unsafe")
        listener = _listen(Path(arguments[3])) if arguments[2:] else None
    except BaseException as error:
        zygote.broken(error)
        return 1
    # Out of the collector's reach: a collection in a child would otherwise write to, and so copy,
    # every page that holds an object.
    gc.freeze()
    zygote.serve(listener)
    return 0
