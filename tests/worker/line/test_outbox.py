"""The writer to the socket, on a real socketpair."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar.channel import fact
from sidecar.worker.line.outbox import _MAX_KEPT, Outbox
from sidecar.worker.line.redact import Redactor


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def delta(text: str) -> Any:
    return fact("llm.delta", {"call": "a", "text": text, "kind": "text"})


def read(sock: socket.socket) -> Iterator[dict[str, Any]]:
    with sock.makefile("rb") as lines:
        for line in lines:
            yield json.loads(line)


def test_a_held_token_leaves_by_itself_when_the_model_stalls(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))
    outbox.put(delta("first"))
    outbox.put(delta("second"))
    heard = read(theirs)
    assert [next(heard)["data"]["text"] for _ in range(2)] == ["first", "second"]
    outbox.close(fact("run.completed", {}))


def test_the_last_word_is_last_and_takes_what_was_held_along(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(("secret-secret",)))
    outbox.put(delta("first"))
    outbox.put(delta("held"))
    outbox.close(fact("run.completed", {"output": "a secret-secret"}))
    outbox.put(fact("log", {"text": "too late"}))
    outbox.close(fact("run.failed", {}))
    ours.close()
    heard = list(read(theirs))
    assert [one["type"] for one in heard] == ["llm.delta", "llm.delta", "run.completed"]
    assert heard[-1]["data"] == {"output": "a ***"}


def test_facts_of_many_threads_arrive_whole_and_in_each_threads_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))

    def talk(name: str) -> None:
        for number in range(200):
            outbox.put(fact("log", {"stream": name, "text": str(number)}))

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()

    def finish() -> None:
        for thread in threads:
            thread.join()
        outbox.close(fact("end", {}))

    closer = threading.Thread(target=finish)
    closer.start()
    heard: dict[str, list[str]] = {}
    for one in read(theirs):
        if one["type"] == "end":
            break
        heard.setdefault(one["data"]["stream"], []).append(one["data"]["text"])
    closer.join()
    assert heard == {name: [str(number) for number in range(200)] for name in "abcd"}


def test_a_gateway_that_is_gone_is_an_error_to_the_writer(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))
    theirs.close()
    with pytest.raises(OSError):  # noqa: PT011  (EPIPE or ECONNRESET)
        outbox.put(fact("log", {}))


def test_a_held_token_for_a_gateway_that_is_gone_ends_its_thread_in_silence(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """Whoever reads the orders ends the process."""
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))
    outbox.put(delta("first"))
    outbox.put(delta("held"))
    theirs.close()
    outbox._timer.join(10)
    assert not outbox._timer.is_alive()


def test_nothing_leaves_between_halt_and_go_and_nothing_is_lost(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))
    outbox.put(delta("first"))
    outbox.put(delta("held"))
    outbox.halt(fact("run.paused", {}))
    for text in "abc":
        outbox.put(delta(text))
    outbox.put(fact("log", {"text": "printed"}))
    heard = read(theirs)
    assert [next(heard)["type"] for _ in range(3)] == ["llm.delta", "llm.delta", "run.paused"]
    assert not select.select([theirs], [], [], 0.2)[0]
    outbox.go()
    outbox.close(fact("run.completed", {}))
    ours.close()
    rest = list(heard)
    assert "".join(one["data"]["text"] for one in rest if one["type"] == "llm.delta") == "abc"
    assert [one["type"] for one in rest][-2:] == ["log", "run.completed"]


@pytest.mark.parametrize("end", ["go", "close"])
def test_what_is_kept_is_bounded_and_then_the_writer_waits(
    pair: tuple[socket.socket, socket.socket], end: str
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours, Redactor(()))
    outbox.halt(fact("run.paused", {}))
    count, size = 100, 60_000
    written: list[int] = []

    def write() -> None:
        for number in range(count):
            outbox.put(fact("log", {"text": "x" * size}))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    while len(written) * size < _MAX_KEPT:  # ends: so much is taken without waiting
        writer.join(0.01)
    writer.join(0.2)
    assert writer.is_alive()
    assert len(written) * size < _MAX_KEPT + 2 * size

    def finish() -> None:
        if end == "go":
            outbox.go()
            writer.join()
        outbox.close(fact("run.cancelled", {}))
        writer.join()
        ours.close()

    closer = threading.Thread(target=finish)
    closer.start()
    heard = [one["type"] for one in read(theirs)]
    closer.join()
    assert heard[0] == "run.paused"
    assert heard[-1] == "run.cancelled"
    # After the last word nothing leaves; the writer is let go all the same.
    assert heard.count("log") == count if end == "go" else heard.count("log") < count
