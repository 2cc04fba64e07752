from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import protocol
from sidecar.errors import CommandError
from sidecar.protocol.commands import (
    Answer,
    Cancel,
    List,
    Modify,
    Origin,
    Ping,
    Start,
    Status,
    Subscribe,
    parse_command,
)


def parse(**body: Any) -> protocol.Command:
    return parse_command(orjson.dumps(body))


def refusal(raw: bytes | str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        parse_command(raw)
    return caught.value


def test_each_command_is_read_with_its_defaults() -> None:
    start = parse(id="c-1", cmd="start")
    assert isinstance(start, Start)
    assert (start.crew, start.inputs, start.review) == ("default", {}, ())
    cancel = parse(id="c-2", cmd="cancel", run="r_1")
    assert isinstance(cancel, Cancel)
    assert (cancel.run, cancel.reason) == ("r_1", None)
    assert isinstance(parse(id="c-3", cmd="status", run="r_1"), Status)
    listing = parse(id="c-4", cmd="list", state="running", limit=3)
    assert isinstance(listing, List)
    assert (listing.state, listing.limit) == ("running", 3)
    subscribe = parse(id="c-5", cmd="subscribe", run="r_1", after="abc-3")
    assert isinstance(subscribe, Subscribe)
    assert subscribe.after == "abc-3"
    assert isinstance(parse(id="c-6", cmd="ping"), Ping)


def test_a_start_may_belong_to_a_thread() -> None:
    alone = parse(id="c-1", cmd="start", title="ignored", parallel=True, thread=None)
    assert isinstance(alone, Start)
    assert (alone.thread, alone.after) == (None, None)
    fields = {"thread": "t.1:a_B-2", "title": " Tea\n shop ", "after": "", "parallel": True}
    start = parse(id="c-2", cmd="start", **fields)
    assert isinstance(start, Start)
    assert (start.thread, start.title, start.after, start.parallel) == (
        *("t.1:a_B-2", "Tea shop", "", True),
    )
    blank = parse(id="c-3", cmd="start", thread="t", title="  ")
    assert isinstance(blank, Start)
    assert (blank.title, blank.after, blank.parallel) == (None, None, False)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"thread": ""}, "thread"),
        ({"thread": "a b"}, "thread"),
        ({"thread": "x" * 65}, "thread"),
        ({"thread": 1}, "thread"),
        ({"thread": "."}, "thread"),
        ({"thread": ".."}, "thread"),
        ({"thread": "t", "title": "x" * 201}, "title"),
        ({"thread": "t", "title": 1}, "title"),
        ({"thread": "t", "after": 1}, "after"),
        ({"after": "r_1"}, "after"),
        ({"after": ""}, "after"),
        ({"thread": "t", "parallel": "yes"}, "parallel"),
    ],
)
def test_a_thread_that_is_none_is_refused_by_the_name_of_the_field(
    fields: dict[str, Any], names: str
) -> None:
    error = refusal(orjson.dumps({"id": "c-1", "cmd": "start", **fields}))
    assert (error.code, error.id) == ("bad_request", "c-1")
    assert repr(names) in error.message


def test_a_start_may_be_a_fork_whose_crew_is_its_runs() -> None:
    origin = {"run": "r_1", "task": "1.2"}
    fork = parse(id="c-1", cmd="start", **{"from": origin})
    assert isinstance(fork, Start)
    assert (fork.origin, fork.crew) == (Origin("r_1", "1.2"), "")
    named = parse(id="c-2", cmd="start", crew="team", **{"from": origin})
    assert isinstance(named, Start)
    assert named.crew == "team"
    none = parse(id="c-3", cmd="start", **{"from": None})
    assert isinstance(none, Start)
    assert (none.origin, none.crew) == (None, "default")


@pytest.mark.parametrize(
    ("origin", "names"),
    [
        ("r_1", "from"),
        (["r_1", "t"], "from"),
        ({"run": "r_1"}, "task"),
        ({"task": "t"}, "run"),
        ({"run": "", "task": "t"}, "run"),
        ({"run": "r_1", "task": 2}, "task"),
        ({"run": "r_1", "task": "x" * 201}, "task"),
    ],
)
def test_a_fork_of_nothing_is_refused_by_the_name_of_the_field(origin: object, names: str) -> None:
    error = refusal(orjson.dumps({"id": "c-1", "cmd": "start", "from": origin}))
    assert (error.code, error.id) == ("bad_request", "c-1")
    assert repr(names) in error.message


@pytest.mark.parametrize(
    ("given", "change"),
    [
        ({"instruction": "x"}, {"instruction": "x"}),
        ({"instruction": "x", "now": True}, {"instruction": "x", "now": True}),
        ({"instruction": "x", "now": False}, {"instruction": "x"}),
        ({"instruction": "x", "task": "t"}, {"instruction": "x", "task": "t"}),
        ({"task": "t", "description": "d"}, {"task": "t", "description": "d"}),
        ({"inputs": {"a": 1}}, {"inputs": {"a": 1}}),
    ],
)
def test_a_modify_carries_one_kind_of_change(given: dict[str, Any], change: dict[str, Any]) -> None:
    command = parse(id="c", cmd="modify", run="r", **given)
    assert isinstance(command, Modify)
    assert command.change == change


def test_an_answer_may_be_empty_which_accepts() -> None:
    command = parse(id="c", cmd="answer", run="r", input="in_1", text="")
    assert isinstance(command, Answer)
    assert (command.input, command.text) == ("in_1", "")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"start"',
        b"null",
        b"\xff\xfe",
        b'{"cmd": "start"}',
        b'{"id": 7, "cmd": "start"}',
        b'{"id": "", "cmd": "start"}',
        b'{"id": "a b", "cmd": "start"}',
        b'{"id": "c\\n", "cmd": "start"}',
        b'{"id": "' + b"x" * 65 + b'", "cmd": "start"}',
        b'{"id": "c", "cmd": 7}',
        b'{"id": "c"}',
        b'{"id": "c", "cmd": "start", "inputs": []}',
        b'{"id": "c", "cmd": "start", "inputs": "x"}',
        b'{"id": "c", "cmd": "start", "crew": 7}',
        b'{"id": "c", "cmd": "start", "review": "all"}',
        b'{"id": "c", "cmd": "start", "review": [1]}',
        b'{"id": "c", "cmd": "start", "inputs": ' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        b'{"id": "c", "cmd": "cancel"}',
        b'{"id": "c", "cmd": "cancel", "run": 7}',
        b'{"id": "c", "cmd": "cancel", "run": "r", "reason": {}}',
        b'{"id": "c", "cmd": "status", "run": ""}',
        b'{"id": "c", "cmd": "pause"}',
        b'{"id": "c", "cmd": "modify", "run": "r"}',
        b'{"id": "c", "cmd": "modify", "run": "r", "instruction": ""}',
        b'{"id": "c", "cmd": "modify", "run": "r", "instruction": "x", "now": "yes"}',
        b'{"id": "c", "cmd": "modify", "run": "r", "instruction": "x", "inputs": {}}',
        b'{"id": "c", "cmd": "modify", "run": "r", "task": "t"}',
        b'{"id": "c", "cmd": "modify", "run": "r", "inputs": []}',
        b'{"id": "c", "cmd": "modify", "run": "r", "inputs": {}, "task": "t"}',
        b'{"id": "c", "cmd": "modify", "run": "r", "description": "d"}',
        b'{"id": "c", "cmd": "modify", "run": "r", "instruction": "x", "task": ""}',
        b'{"id": "c", "cmd": "answer", "run": "r", "input": "in_1"}',
        b'{"id": "c", "cmd": "answer", "run": "r", "text": "ok"}',
        b'{"id": "c", "cmd": "list", "limit": 0}',
        b'{"id": "c", "cmd": "list", "limit": true}',
        b'{"id": "c", "cmd": "list", "limit": "5"}',
        b'{"id": "c", "cmd": "subscribe", "run": "r", "after": 7}',
    ],
)
def test_what_is_no_command_is_a_bad_request(raw: bytes) -> None:
    assert refusal(raw).code == "bad_request"


def test_a_refusal_carries_the_id_as_soon_as_it_is_known() -> None:
    assert refusal(b'{"cmd": "start"}').id is None
    assert refusal(b'{"id": "c-9", "cmd": "start", "inputs": 1}').id == "c-9"


def nested(depth: int, field: str) -> bytes:
    """A start whose `field` is so many lists in each other."""
    return b'{"id": "c-9", "cmd": "start", "%b": %b}' % (
        field.encode(),
        b"[" * depth + b"]" * depth,
    )


@pytest.mark.parametrize("field", ["inputs", "colour", "cmd", "run"])
@pytest.mark.parametrize("depth", [200, 253, 254, 255, 400, 1_022])
def test_nesting_that_could_not_be_written_again_is_a_bad_request(depth: int, field: str) -> None:
    """orjson reads 1,024 levels and writes 254."""
    error = refusal(nested(depth, field))
    assert error.code == "bad_request"
    assert error.id == "c-9"


def test_a_newer_clients_nested_field_is_ignored_like_any_other() -> None:
    assert isinstance(parse_command(nested(100, "colour")), Start)


def test_an_unknown_command_is_told_which_there_are() -> None:
    error = refusal(b'{"id": "c", "cmd": "launch"}')
    assert error.code == "unknown_command"
    assert "start" in error.message


def test_a_command_over_the_bound_is_too_large() -> None:
    inputs = b"x" * protocol.MAX_COMMAND
    assert refusal(b'{"id": "c", "cmd": "start", "inputs": {"m": "%b"}}' % inputs).code == (
        "too_large"
    )


def test_the_digest_tells_a_repeat_from_another_body_under_the_same_id() -> None:
    first = parse_command(b'{"id": "c", "cmd": "cancel", "run": "r"}')
    same = parse_command(b'{ "run": "r",  "cmd": "cancel", "id": "c" }')
    other = parse_command(b'{"id": "c", "cmd": "cancel", "run": "s"}')
    assert first.digest == same.digest != other.digest


def test_a_start_means_the_same_on_its_own_route_and_as_a_command() -> None:
    by_route = parse_command(b'{"id": "c", "inputs": {"m": "x"}}', cmd="start")
    by_name = parse_command(b'{"id": "c", "cmd": "start", "inputs": {"m": "x"}}')
    assert by_route == by_name


def test_unknown_fields_are_left_to_newer_servers() -> None:
    assert isinstance(parse(id="c", cmd="ping", colour="blue"), Ping)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_input_does_anything_but_parse_or_be_refused(raw: bytes | str) -> None:
    with contextlib.suppress(CommandError):
        parse_command(raw)


def test_a_duplicate_is_the_first_ack_marked_as_such() -> None:
    first = protocol.ack_ok("c-1", run="r_1", seq=4)
    again = protocol.as_duplicate(protocol.encode(first))
    assert again == {**first, "duplicate": True}


def test_hello_and_ping_carry_the_clock_and_the_others_do_not() -> None:
    assert "server_time" in protocol.control("stream.hello")
    assert "server_time" in protocol.control("stream.ping")
    assert "server_time" not in protocol.control("stream.live")
