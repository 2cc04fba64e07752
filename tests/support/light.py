"""Worker processes without CrewAI, for what is about processes: each starts in a tenth of a second.

    python -m tests.support.light zygote --control FD [--listen PATH] [--threads]
    python -m tests.support.light worker --channel FD

The zygote is the real one; its children are the crew `synthetic`. The worker begins and ends as
the real spawned one, and instead of a crew it has a child process that ignores SIGTERM.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, NoReturn

from sidecar.channel import WORKER_READY, encode_line, fact
from sidecar.worker import process, synthetic
from sidecar.worker.line.orders import Orders
from sidecar.worker.zygote import Zygote

__all__ = ["command"]

ROOT: Final = Path(__file__).resolve().parents[2]

LINGER: Final = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('here', flush=True); time.sleep(600)"
)


def command(program: str, *arguments: str) -> list[str]:
    """As `sidecar.pool.pool.command`; from any working folder."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.support import light"
    return [sys.executable, "-c", f"{start}; light.main(sys.argv[1:])", program, *arguments]


def main(arguments: list[str]) -> None:
    program, descriptor = arguments[0], int(arguments[2])
    if program == "worker":
        _worker(arguments[1:])
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    process.detach()
    if "--threads" in arguments:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    listener = None
    if "--listen" in arguments:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(arguments[arguments.index("--listen") + 1])
        listener.listen()
    Zygote(control, synthetic.main).serve(listener)


def _worker(arguments: list[str]) -> NoReturn:
    """Says `log` {text: pid of the child}; does what `start` names as its crew's target: `leave`,
    or `hear` orders until the gateway hangs up."""
    sock = process.own_channel(arguments, "worker")
    process.detach()
    process.guard()
    process.die_with(os.getppid())
    sock.sendall(encode_line(fact(WORKER_READY, {"pid": os.getpid()})))
    orders = Orders(sock)
    try:
        spec = orders.spec()
    except EOFError:
        process.leave(0)
    child = subprocess.Popen([sys.executable, "-c", LINGER], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    sock.sendall(encode_line(fact("log", {"stream": "stdout", "text": str(child.pid)})))
    if spec["target"] == "leave":
        process.leave(0)
    try:
        while True:
            orders.take(None)
    except EOFError:
        process.abandon()
