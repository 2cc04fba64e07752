"""The gateway's orders as a worker takes them, on a real socketpair."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.worker.line.orders import Orders
from tests.worker.harness import PATIENCE, spec_for


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def orders(pair: tuple[socket.socket, socket.socket]) -> Orders:
    return Orders(pair[0])


@pytest.fixture
def gateway(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The other end."""
    return pair[1]


def test_orders_are_taken_one_by_one_however_they_were_cut(
    orders: Orders, gateway: socket.socket
) -> None:
    gateway.sendall(b'{"order": "pause", "cause": "c-1"}\n{"order": "resume"}\n{"order": "ca')
    assert orders.take(PATIENCE) == {"order": "pause", "cause": "c-1"}
    assert orders.take(PATIENCE) == {"order": "resume"}
    assert orders.take(0) is None
    gateway.sendall(b'ncel"}\n')
    assert orders.take(PATIENCE) == {"order": "cancel"}


def test_without_an_order_it_waits_no_longer_than_it_may(orders: Orders) -> None:
    assert orders.take(0) is None
    assert orders.take(0.01) is None


def test_it_waits_for_ever_where_it_may(orders: Orders, gateway: socket.socket) -> None:
    taken: list[object] = []
    waiting = threading.Thread(target=lambda: taken.append(orders.take(None)))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    gateway.sendall(b'{"order": "resume"}\n')
    waiting.join(PATIENCE)
    assert taken == [{"order": "resume"}]


def test_waiting_takes_nothing(orders: Orders, gateway: socket.socket) -> None:
    assert not orders.wait(0)
    gateway.sendall(b'{"order": "resume"}\n')
    assert orders.wait(PATIENCE)
    assert orders.wait(0)
    assert orders.take(0) == {"order": "resume"}


def test_a_gateway_that_hangs_up_is_the_end_after_what_it_had_ordered(
    orders: Orders, gateway: socket.socket
) -> None:
    gateway.sendall(b'{"order": "cancel", "cause": "c-1"}\n')
    gateway.close()
    assert orders.take(None) == {"order": "cancel", "cause": "c-1"}
    with pytest.raises(EOFError, match="the gateway has closed the channel"):
        orders.take(0)


def test_a_gateway_that_was_killed_is_the_end_too(
    orders: Orders, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Of a socket whose peer went with something unread in it: ECONNRESET."""
    ours, theirs = pair
    ours.sendall(b"a fact that nobody reads\n")
    theirs.close()
    with pytest.raises(EOFError):
        orders.take(PATIENCE)


def test_what_came_before_the_start_is_passed_over(
    orders: Orders, gateway: socket.socket, tmp_path: Path
) -> None:
    spec = spec_for(tmp_path)
    for order in ({"order": "resume"}, {"order": "start", "spec": spec}, {"order": "cancel"}):
        gateway.sendall(json.dumps(order).encode() + b"\n")
    assert orders.spec() == spec
    assert orders.take(0) == {"order": "cancel"}


def test_a_gateway_that_wants_no_run_of_it_is_the_end(
    orders: Orders, gateway: socket.socket
) -> None:
    gateway.close()
    with pytest.raises(EOFError):
        orders.spec()


def test_a_worker_without_crews_that_is_asked_for_some_has_no_more_to_wait_for(
    orders: Orders, gateway: socket.socket
) -> None:
    gateway.sendall(b'{"order": "prepare"}\n{"order": "describe"}\n')
    with pytest.raises(EOFError, match="no crews"):
        orders.spec()


def test_an_input_may_be_what_json_has_no_word_for(orders: Orders, gateway: socket.socket) -> None:
    gateway.sendall(b'{"order": "modify", "change": {"inputs": {"a": NaN, "b": "\\ud800"}}}\n')
    order = orders.take(PATIENCE)
    assert order is not None
    inputs = order["change"]["inputs"]
    assert inputs["a"] != inputs["a"]
    assert inputs["b"] == "\ud800"


def test_an_order_longer_than_one_read_is_taken_whole(
    orders: Orders, gateway: socket.socket
) -> None:
    text = "x" * 1_000_000
    line = json.dumps({"order": "answer", "input": "in_1", "text": text}).encode() + b"\n"
    sending = threading.Thread(target=gateway.sendall, args=(line,))
    sending.start()
    order = orders.take(PATIENCE)
    sending.join(PATIENCE)
    assert order is not None
    assert order["text"] == text
