"""`python -m scripts.dev [PROCFILE]`: all that the Procfile names, in one terminal, until Ctrl-C.

Each program has a session of its own, so that Ctrl-C reaches it through here alone, and in order:
SIGTERM to the program, then to what it left in its process group, SIGKILL `GRACE` seconds later.
It is a thread each, because a thread that can't write to a full pipe doesn't stop the others.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final

from scripts.environment import development
from scripts.screen import Screen, readable

GRACE: Final = 5.0
"""Seconds in which everything ends after Ctrl-C."""
SETTLED: Final = 20.0
"""A program that gives up sooner can't start, and could not the next time either; one that has
lived for so long begins anew with the shortest wait."""
_LONGEST_WAIT: Final = 30.0
_FORCED: Final = 130


class Program:
    """One line of the Procfile. `run` keeps it running, on a thread, until `end` or for good."""

    def __init__(self, name: str, command: str, environ: Mapping[str, str], screen: Screen) -> None:
        self.name = name
        self._command = command
        self._environ = environ
        self._screen = screen
        self._ending = threading.Event()
        self._lock = threading.RLock()  # a signal may come while it is held
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        deaths = 0
        while (process := self._start()) is not None:
            began = time.monotonic()
            reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            code = process.wait()
            lived = time.monotonic() - began
            # What it started holds its port and its output.
            self._signal(signal.SIGTERM)
            reader.join(GRACE)
            self._signal(signal.SIGKILL)
            reader.join(1.0)
            if self._ending.is_set():
                if code == -signal.SIGKILL:
                    self._say(f"didn't end within {GRACE:.0f} s and was killed")
                return
            deaths = 1 if lived >= SETTLED else deaths + 1
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else "ended"
            how += f" with exit code {code}" if code >= 0 else ""
            if code > 0 and lived < SETTLED:
                self._say(f"{how} and can't start: mend what it says, then make dev again")
                return
            wait = min(2.0 ** (deaths - 1), _LONGEST_WAIT)
            self._say(f"{how} after {lived:.0f} s; starts again in {wait:.0f} s")
            self._ending.wait(wait)

    def end(self) -> None:
        with self._lock:
            self._ending.set()
            if self._process is not None:
                self._process.terminate()

    def kill(self) -> None:
        with self._lock:
            self._ending.set()
            self._signal(signal.SIGKILL)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = subprocess.Popen(
                self._command,
                shell=True,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return self._process

    def _signal(self, number: signal.Signals) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process is not None:
                os.killpg(self._process.pid, number)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._say(readable(line.decode(errors="replace").rstrip("\r\n")))

    def _say(self, text: str) -> None:
        self._screen.say(self.name, text)


def programs(procfile: str) -> dict[str, str]:
    """`name: command` lines, as foreman reads them."""
    return dict(re.findall(r"^([\w-]+):[ \t]*(\S.*)$", procfile, re.MULTILINE))


def _open_page(port: int, show: Callable[[str], None]) -> None:
    """Next compiles a page when it is first asked for, and so that is done before anybody waits."""
    while True:
        page = http.client.HTTPConnection("127.0.0.1", port)
        try:
            page.request("GET", "/", headers={"Host": f"localhost:{port}"})
            page.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        else:
            return show(f"\n    Open http://localhost:{port}\n\n")
        finally:
            page.close()


def main(procfile: str = "Procfile") -> int:
    """Exit code 0 after a signal or when nobody reads, 1 when nothing runs any more."""
    dotenv = Path(".env")
    environ = development(os.environ, dotenv.read_text() if dotenv.is_file() else "")
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', '')}"
    commands = programs(Path(procfile).read_text())
    if not commands:
        print(f"{procfile} has no line such as `web: npm run dev`", file=sys.stderr)
        return 1
    # put() may interrupt get() and itself, which no lock of `threading` allows.
    ends: SimpleQueue[int] = SimpleQueue()
    screen = Screen(sys.stdout.fileno(), list(commands), lambda: ends.put(0))
    running = [Program(name, command, environ, screen) for name, command in commands.items()]
    interrupts = 0

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += number == signal.SIGINT
        if interrupts > 1:
            for program in running:
                program.kill()
            os._exit(_FORCED)
        ends.put(0)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, on_signal)

    threads = [threading.Thread(target=program.run, daemon=True) for program in running]
    for thread in threads:
        thread.start()

    def all_ended() -> None:
        for thread in threads:
            thread.join()
        ends.put(1)

    threading.Thread(target=all_ended, daemon=True).start()
    page = (int(environ["PORT"]), screen.show)
    threading.Thread(target=_open_page, args=page, daemon=True).start()

    code = ends.get()
    deadline = time.monotonic() + GRACE
    for program in running:
        program.end()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for program in running:
        program.kill()
    for thread in threads:
        thread.join(1.0)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
