"""`make dev`: the runner for real, with small programs of its own, and the checks before it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

from scripts import check
from scripts.dev import GRACE, programs
from scripts.environment import development
from scripts.install import Npm, Pip
from scripts.screen import readable
from tests.support.sidecar import BOUND, ROOT, clean_environment

IDLE = "import signal\nprint('idles', flush=True)\nsignal.pause()"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{IDLE}"
PARENT = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", CHILD])
print("child", child.pid, "of", os.getpid(), flush=True)
signal.pause()
"""
WITH_CHILD = f"CHILD = {IDLE!r}{PARENT}"
WITH_STUBBORN_CHILD = f"CHILD = {STUBBORN!r}{PARENT}"
PAGE = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        print("compiles", self.path, "for", self.headers["Host"], flush=True)
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""


class Runner:
    """`python -m scripts.dev` with a Procfile of `programs`, name to Python, and what it shows."""

    def __init__(self, folder: Path, programs: dict[str, str], *, terminal: bool = False) -> None:
        lines = []
        for name, text in programs.items():
            (folder / f"{name}.py").write_text(text)
            lines.append(f"{name}: exec python {folder / name}.py\n")
        (folder / "Procfile").write_text("".join(lines))
        self.port = free_port()
        self._end, stdout = pty.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.dev", str(folder / "Procfile")],
            cwd=ROOT,
            env=clean_environment(PORT=str(self.port), MARK="of the runner"),
            # The first terminal that a session opens is the one whose Ctrl-C it gets.
            preexec_fn=(lambda: os.close(os.open(os.ttyname(1), os.O_RDWR))) if terminal else None,
            stdin=stdout if terminal else subprocess.DEVNULL,
            stdout=stdout,
            start_new_session=True,
        )
        os.close(stdout)
        self.shown = ""
        self._seen = 0

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until `pattern` is shown after what was expected before."""
        while not (match := re.compile(pattern).search(self.shown, self._seen)):
            assert self._read(), f"no {pattern!r} before the end of {self.shown!r}"
        self._seen = match.end()
        return match

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def end(self, number: int | None = signal.SIGINT) -> int:
        """Signal it, read on to its end, and give its exit code."""
        if number is not None:
            self.process.send_signal(number)
        while self._read():
            pass
        return self.process.wait(BOUND)

    def hang_up(self) -> None:
        """Nobody reads any more."""
        os.close(self._end)
        self._end = -1

    def _read(self) -> bool:
        readable, _, _ = select.select([self._end], [], [], BOUND)
        assert readable, f"nothing more after {self.shown!r}"
        try:
            data = os.read(self._end, 65536)
        except OSError:  # EIO: the last program on the terminal has ended
            return False
        self.shown += data.decode()
        return bool(data)

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            for _number in range(2):
                self.process.send_signal(signal.SIGINT)
        self.process.wait(BOUND)
        if self._end >= 0:
            self.hang_up()


Run = Callable[..., Runner]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with contextlib.ExitStack() as stack:
        yield lambda *, terminal=False, **programs: stack.enter_context(
            Runner(tmp_path, programs, terminal=terminal)
        )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_gone(pid: str) -> bool:
    """It runs no more; a zombie that nobody collected doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: str) -> None:
    deadline = time.monotonic() + BOUND
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def test_each_line_has_the_name_of_its_program_and_the_page_is_named_once_it_answers(
    run: Run,
) -> None:
    dev = run(sidecar="import os\nprint(os.environ['MARK'], flush=True)\n" + IDLE, web=PAGE)
    dev.expect(rf"Open http://localhost:{dev.port}\n")
    assert dev.end() == 0
    assert "sidecar | of the runner\nsidecar | idles\n" in dev.shown
    assert f"web     | compiles / for localhost:{dev.port}\n" in dev.shown
    assert dev.shown.count("Open") == 1


def test_the_page_is_not_named_before_it_answers(run: Run) -> None:
    dev = run(web=IDLE)
    dev.expect("idles")
    assert dev.end() == 0
    assert "Open" not in dev.shown


def test_a_program_that_is_killed_starts_again_after_a_growing_wait_beside_the_others(
    run: Run,
) -> None:
    dev = run(sidecar="import os\nprint('pid', os.getpid(), flush=True)\n" + IDLE, web=PAGE)
    for wait in (1, 2):
        pid = dev.expect(r"pid (\d+)")[1]
        os.kill(int(pid), signal.SIGKILL)
        dev.expect(rf"sidecar \| was ended by SIGKILL after \d+ s; starts again in {wait} s")
        began = time.monotonic()
    dev.expect("pid")
    assert time.monotonic() - began >= 1.5
    assert "web     | was" not in dev.shown
    with socket.create_connection(("127.0.0.1", dev.port)):
        pass
    assert dev.end() == 0


def test_one_that_cannot_start_says_so_once_and_the_others_go_on(run: Run) -> None:
    dev = run(sidecar="raise SystemExit('port 8770 is taken')", web=PAGE)
    dev.expect("Open")
    assert dev.end() == 0
    said = [line for line in dev.shown.splitlines() if line.startswith("sidecar")]
    assert said[0] == "sidecar | port 8770 is taken"
    assert "exit code 1" in said[1]
    assert "make dev" in said[1]
    assert len(said) == 2


def test_when_nothing_can_start_the_runner_ends_with_one(run: Run) -> None:
    assert run(sidecar="raise SystemExit(3)", web="raise SystemExit(1)").end(None) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_programs_and_what_they_started(run: Run, number: int) -> None:
    dev = run(web=WITH_CHILD)
    found = dev.expect(r"child (\d+) of (\d+)")
    dev.expect("idles")
    began = time.monotonic()
    assert dev.end(number) == 0
    assert time.monotonic() - began < GRACE + 5
    assert is_gone(found[2])
    wait_until_gone(found[1])


def test_what_does_not_listen_is_killed_after_the_grace_and_that_is_said(run: Run) -> None:
    dev = run(sidecar=WITH_STUBBORN_CHILD, web=STUBBORN)
    child = dev.expect(r"child (\d+)")[1]
    while dev.shown.count("idles") < 2:
        dev.expect("idles")
    began = time.monotonic()
    assert dev.end() == 0
    assert GRACE <= time.monotonic() - began < GRACE + 5
    dev.expect(r"web     \| didn't end within 5 s and was killed")
    wait_until_gone(child)


def test_a_second_ctrl_c_does_not_wait(run: Run) -> None:
    dev = run(web=f"import os\nprint('pid', os.getpid(), flush=True)\n{STUBBORN}")
    pid = dev.expect(r"pid (\d+)")[1]
    dev.expect("idles")
    began = time.monotonic()
    # Two that come at once may be one.
    while dev.process.poll() is None:
        dev.process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert dev.end(None) == 130
    assert time.monotonic() - began < GRACE
    wait_until_gone(pid)


def test_ctrl_c_on_a_terminal_reaches_the_programs_through_the_runner_alone(run: Run) -> None:
    told = "signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True))"
    dev = run(terminal=True, web=f"import signal\n{told}\n{IDLE}")
    dev.expect(r"\x1b\[36mweb \| \x1b\[0midles")
    dev.press("\x03")
    assert dev.end(None) == 0
    assert "interrupted" not in dev.shown


def test_a_closed_terminal_ends_everything(run: Run) -> None:
    dev = run(terminal=True, web=WITH_CHILD)
    child = dev.expect(r"child (\d+)")[1]
    dev.expect("idles")
    dev.hang_up()
    assert dev.process.wait(BOUND) == 0
    wait_until_gone(child)


def test_a_pipe_that_nobody_reads_ends_everything_although_nobody_writes(run: Run) -> None:
    dev = run(web=WITH_CHILD)
    child = dev.expect(r"child (\d+)")[1]
    dev.expect("idles")
    dev.hang_up()
    assert dev.process.wait(BOUND) == 0
    wait_until_gone(child)


def test_what_a_program_writes_cannot_move_the_terminal(run: Run) -> None:
    dev = run(web=f"print('\\x1b]0;title\\x07\\x1b[2J\\x1b[31mred\\x1b[0m\\tend')\n{IDLE}")
    dev.expect("idles")
    assert "web | \\x1b]0;title\\x07\x1b[31mred\x1b[0m\tend\n" in dev.shown
    assert dev.end() == 0


def test_a_line_of_a_json_log_is_its_level_and_message() -> None:
    assert readable('{"time": 1, "level": "info", "message": "zygote ready"}') == (
        "info: zygote ready"
    )
    line = '{"level": "error", "message": "a\\nb", "traceback": "Traceback\\n  line"}'
    assert readable(line) == "error: a\\nb\nTraceback\n  line"
    for other in ("{", '{"level": "info"}', "[1]", "{}", "plain"):
        assert readable(other) == other


def test_a_procfile_is_names_and_commands() -> None:
    text = "# web: no\nsidecar: exec python -m sidecar\n\nweb:cd a && exec node b:c\n"
    assert programs(text) == {
        "sidecar": "exec python -m sidecar",
        "web": "cd a && exec node b:c",
    }
    assert list(programs((ROOT / "Procfile").read_text())) == ["sidecar", "web"]


def test_the_page_and_the_sidecar_find_each_other_when_a_port_changes() -> None:
    assert development({"PORT": "3001", "SIDECAR_PORT": "8771"}, "") == {
        "PORT": "3001",
        "SIDECAR_PORT": "8771",
        "NEXT_PUBLIC_CREW_URL": "http://127.0.0.1:8771",
        "SIDECAR_ORIGINS": "http://localhost:3001,http://127.0.0.1:3001",
    }


def test_what_is_set_wins_over_the_env_file_and_both_win_over_what_follows() -> None:
    dotenv = """
        # PORT=1
        PORT=3002  # of the page
        export SIDECAR_HOST='::1'
        SIDECAR_ORIGINS="http://a.example:3000"
        NAME=it's
        not a line
    """
    environ = development({"PORT": " ", "SIDECAR_ORIGINS": "http://b.example"}, dotenv)
    assert environ["PORT"] == "3002"
    assert environ["SIDECAR_ORIGINS"] == "http://b.example"
    assert environ["NEXT_PUBLIC_CREW_URL"] == "http://[::1]:8770"
    assert environ["NAME"] == "it's"


@pytest.mark.parametrize("name", ["PORT", "SIDECAR_PORT"])
def test_a_taken_port_is_named_with_who_has_it_and_the_way_out(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports = {"PORT": str(free_port()), "SIDECAR_PORT": str(free_port())}
        failed = checked("ports", **{**ports, name: str(port)})
    (line,) = failed.splitlines()
    free = re.search(rf", or {name}=(\d+) make dev$", line)
    assert line.startswith(f"port {port} is taken by ")
    assert f"(pid {os.getpid()})" in line
    assert free is not None
    assert int(free[1]) > port


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_a_server_at_the_other_address_of_localhost_takes_the_pages_port() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        failed = checked("ports", PORT=str(port), SIDECAR_PORT=str(free_port()))
    assert failed.startswith(f"port {port} is taken by ")


@pytest.mark.parametrize("port", ["0", "x", "65536", "-1"])
def test_what_is_no_port_is_said(port: str) -> None:
    assert checked("ports", PORT=port).startswith(f"PORT={port} is not a port: PORT=3000 make dev")


def test_page_and_sidecar_on_one_port_are_refused() -> None:
    port = str(free_port())
    assert "need two" in checked("ports", PORT=port, SIDECAR_PORT=port)


def test_an_old_node_or_none_is_said_before_anything_is_installed(tmp_path: Path) -> None:
    assert "there is none" in checked("node", PATH=str(tmp_path))
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.20.1\n")
    node.chmod(0o755)
    assert "Node 20 or newer, and this is v18.20.1" in checked("node", PATH=str(tmp_path))
    node.write_text("#!/bin/sh\necho v20.0.0\n")
    assert "without npm" in checked("node", PATH=str(tmp_path))


def test_another_python_is_named_with_one_that_would_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert check.python() == []
    other = tmp_path / "python3.12"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    (problem,) = check.python()
    assert "needs Python 3.11 to 3.13" in problem
    assert "3.10.4" in problem
    assert problem.endswith("make PYTHON=python3.12 dev")


def checked(*names: str, **environ: str) -> str:
    """What is said of what is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.check", *names],
        cwd=ROOT,
        env=clean_environment(**environ),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 1, done
    assert not done.stdout
    return done.stderr


def test_pips_progress_is_how_many_packages_and_what_it_does(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1 \\\n    --hash=sha256:0\nb[c]==2 ; x\nd-e==3\n# f==4\n")
    installed = iter((10, 10, 11, 12))
    pip = Pip(lock, lambda: next(installed))
    assert pip.now() == "0 of 3 packages: reads the lock"
    for line, now in (
        ("Ignoring b: markers 'x' don't match your environment", "0 of 2 packages: reads the lock"),
        ("Collecting a==1 (from -r lock (line 1))", "1 of 2 packages: looks for a"),
        ("  Downloading a-1-py3.whl (16.9 MB)", "1 of 2 packages: downloads a (16.9 MB)"),
        ("Collecting d-e==3 (from -r lock (line 4))", "2 of 2 packages: looks for d-e"),
        ("  Building wheel for d-e (pyproject.toml)", "2 of 2 packages: builds d-e"),
        ("Installing collected packages: a, d-e", "0 of 2 packages unpacked"),
        ("a line more", "1 of 2 packages unpacked"),
        ("Successfully installed a-1 d-e-3", "2 of 2 packages unpacked"),
    ):
        pip.read(line)
        assert pip.now() == now


def test_npms_progress_is_how_many_packages_it_has(tmp_path: Path) -> None:
    npm = Npm(tmp_path / "package-lock.json")
    assert npm.now() == "reads the lock"
    npm.read("npm http fetch GET 200 https://registry.example/a 20ms")
    npm.read("npm warn EBADENGINE")
    assert npm.now() == "1 packages fetched"


class Slow:
    """A tool that says nothing more until it was shown to be at work."""

    def __init__(self, code: int) -> None:
        told = f"import sys; print('begins', flush=True); sys.stdin.readline(); sys.exit({code})"
        self.command = [sys.executable, "-c", told]
        self._lines = 0

    def read(self, line: str) -> None:
        self._lines += 1

    def now(self) -> str:
        return f"{self._lines} lines"


@pytest.mark.parametrize("code", [0, 3])
def test_an_install_is_never_silent_and_shows_what_the_tool_said_if_it_failed(code: int) -> None:
    script = (
        "import sys\nfrom scripts.install import install\nfrom tests.test_dev import Slow\n"
        f"sys.exit(install('pip', Slow({code}), sys.stdout, every=0.01))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert re.fullmatch(r"pip: [01] lines, \d+ s\n", process.stdout.readline())
        rest, _ = process.communicate("\n", BOUND)
    assert process.returncode == code
    assert ("begins" in rest) == (code != 0)
    assert re.search(rf"pip: {'failed with exit code 3' if code else 'done'}, \d+ s\n", rest)


def test_make_alone_lists_the_commands() -> None:
    shown = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, timeout=BOUND, check=True
    ).stdout
    for name in ("dev", "serve", "test", "lock", "clean"):
        assert re.search(rf"^make {name} +\w", shown, re.MULTILINE)
    assert "PORT=3000" in shown
