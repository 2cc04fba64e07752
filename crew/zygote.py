"""The zygote: imports crewai once, then forks a worker on request. Linux.

`python -m crew.zygote --control FD`, FD being an AF_UNIX SOCK_SEQPACKET socket, one JSON object
per message:

    to the gateway     {"ready": true, "seconds": 3.1}      crewai is imported
                       {"forked": TAG, "pid": PID}          always before that PID's "exited"
                       {"exited": PID, "status": STATUS}    as from waitpid
                       {"error": TEXT}                      import failed (then it exits), or a fork
    from the gateway   {"fork": TAG} with one descriptor    the worker's end of its run's channel

A child leads a process group of its own. When the control socket closes, the zygote kills all of
them and exits. It never kicks off a crew and stays single-threaded: a fork copies locks, but not
the threads that would release them.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any, Final, NoReturn

from crew import environment
from crew.process import detach, die_with

__all__ = ["Zygote"]

_MESSAGE: Final = 4096


class Zygote:
    """The owner of the control socket and of the children."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()

    def say(self, **message: Any) -> None:
        with contextlib.suppress(OSError):  # the gateway is gone: the next receive tells
            self._control.send(json.dumps(message).encode())

    def serve(self) -> None:
        """Fork and reap until the gateway closes the control socket."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        # The handler is only there so that the signal reaches the wakeup descriptor.
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        try:
            while True:
                ready, _, _ = select.select([self._control, wake], [], [])
                if wake in ready:
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(_MESSAGE)
                    self._reap()
                if self._control in ready and not self._receive():
                    return
        finally:
            signal.set_wakeup_fd(-1)
            for pid in self._children:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)

    def _receive(self) -> bool:
        """One request; False when the gateway is gone."""
        try:
            data, ancillary, _, _ = self._control.recvmsg(_MESSAGE, socket.CMSG_SPACE(4 * 4))
        except OSError:
            return False
        if not data:
            return False
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) - len(payload) % 4])
        try:
            tag = str(json.loads(data)["fork"])
            if len(descriptors) != 1:
                raise ValueError(f"{len(descriptors)} descriptors came with it, not 1")
            self._fork(tag, descriptors[0])
        except Exception as error:
            self.say(error=f"fork: {type(error).__name__}: {error}")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return True

    def _fork(self, tag: str, channel: int) -> None:
        threads = thread_count()
        if threads != 1:
            raise RuntimeError(f"the zygote has {threads} threads and can't fork safely")
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _child(channel, parent)
        # Here and in the child, so that the group exists for whichever needs it first.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._children.add(pid)
        self.say(forked=tag, pid=pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            # What its tools have left running must not outlive the run.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            self.say(exited=pid, status=status)


def _child(channel: int, parent: int) -> NoReturn:
    """Become a worker: own group, default signals, no descriptor but the channel and stderr."""
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with(parent)
        os.closerange(3, channel)
        os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))
        from crew import worker

        worker.main(socket.socket(fileno=channel))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def thread_count() -> int:
    """This process's threads, those of C libraries included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] != "--control" or not arguments[1].isdigit():
        print("usage: python -m crew.zygote --control FD", file=sys.stderr)
        return 2
    control = socket.socket(fileno=int(arguments[1]))
    control.set_inheritable(False)
    detach()
    zygote = Zygote(control)
    started = time.monotonic()
    try:
        environment.prepare()
        from crew import warm, worker  # noqa: F401  (children use the worker)

        warm.up()
        threads = thread_count()
        if threads != 1:
            raise RuntimeError(f"importing crewai left {threads} threads; forking would be unsafe")
    except BaseException as error:
        traceback.print_exc()
        zygote.say(error=f"{type(error).__name__}: {error}")
        return 1
    # Out of the collector's reach: a collection in a child would otherwise write to, and so copy,
    # every page that holds an object.
    gc.freeze()
    zygote.say(ready=True, seconds=round(time.monotonic() - started, 3))
    zygote.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
