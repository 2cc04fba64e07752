"""Hearing descriptors 1 and 2, in a process of its own so that pytest keeps its output."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

from tests.worker.harness import PROJECT, clean_environment

_STREAMS = ("stdout", "stderr")
_SETUP = r"""
import json, os, subprocess, sys, threading, time
from sidecar.worker.line.capture import Capture
from sidecar.worker.line.redact import Redactor
answer = os.dup(1)
heard, arrived = [], threading.Condition()
def hear(stream, text):
    with arrived:
        heard.append([stream, text])
        arrived.notify_all()
def until(text):
    with arrived:
        assert arrived.wait_for(lambda: any(text in one for _, one in heard), 30), heard
capture = Capture(hear, Redactor(("hunter2-hunter2", "one-half\nother-half")))
capture.start()
"""


def heard(script: str) -> list[list[str]]:
    """What a Capture heard of `script`, [stream, text] each."""
    end = "\ncapture.finish(30)\nos.write(answer, json.dumps(heard).encode())\n"
    done = subprocess.run(
        [sys.executable, "-c", _SETUP + textwrap.dedent(script) + end],
        capture_output=True,
        timeout=60,
        cwd=PROJECT,
        env=clean_environment(),
        check=True,
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def joined(script: str, stream: str = "stdout") -> str:
    return "\n".join(text for name, text in heard(script) if name == stream)


def test_nothing_printed_is_nothing_heard() -> None:
    assert heard("") == []


def test_a_prompt_without_a_newline_is_heard_while_it_waits() -> None:
    assert heard("sys.stdout.write('name? '); sys.stdout.flush(); until('name? ')") == [
        ["stdout", "name? "]
    ]


def test_a_character_cut_in_two_writes_is_heard_whole() -> None:
    assert joined("os.write(1, b'gr\\xc3'); time.sleep(0.3); os.write(1, b'\\xbc\\n')") in (
        "gr\nü",
        "grü",
    )


def test_bytes_that_are_not_text_do_not_stop_it() -> None:
    assert joined("os.write(1, b'a\\xff\\xfe\\n'); os.write(1, b'b\\n')") == "a\ufffd\ufffd\nb"


def test_an_endless_line_is_heard_in_bounded_parts() -> None:
    parts = heard("os.write(1, b'x' * 200_000)")
    assert "".join(text for _, text in parts) == "x" * 200_000
    assert max(len(text) for _, text in parts) < 64 * 1024


def test_a_secret_that_is_printed_in_pieces_is_masked() -> None:
    script = """
    os.write(1, b"it is hunter2-")
    until("it is")
    os.write(1, b"hunter2, and on 2: ")
    until("and on")
    os.write(2, b"hunter2-")
    os.write(1, b"ok hunter2-")
    """
    parts = heard(script)
    told = ["".join(text for name, text in parts if name == stream) for stream in _STREAMS]
    assert told == ["it is ***, and on 2: ok hunter2-", "hunter2-"]


def test_a_secret_is_masked_where_an_endless_line_is_cut() -> None:
    secrets = joined("os.write(1, b'hunter2-hunter2,' * 20_000 + b'\\n')")
    assert secrets.replace("\n", "") == "***," * 20_000


def test_a_secret_of_several_lines_is_masked() -> None:
    script = r"""
    os.write(1, b"first\none-half\n")
    until("first")
    print("other-half")
    print("end")
    """
    assert joined(script) == "first\n***\nend"


def test_the_order_of_a_flood_is_kept() -> None:
    lines = joined("for number in range(20_000): print(number)")
    assert lines.split("\n") == [str(number) for number in range(20_000)]


def test_a_process_left_behind_does_not_hold_up_the_end() -> None:
    script = "child = subprocess.Popen(['sleep', '60']); print('left', child.pid)"
    started = heard(script + "; import atexit; atexit.register(child.kill)")
    assert started[0][1].startswith("left ")
