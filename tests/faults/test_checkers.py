"""A checker that finds nothing proves nothing: each is shown a history with one fault planted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.faults.checkers import (
    CHECKERS,
    Command,
    Connection,
    Frame,
    History,
    Reader,
    Received,
    violations,
)

RUN, EPOCH = "r_1", "abc123"


def _event(seq: int, type: str, data: dict[str, Any], **more: Any) -> bytes:
    head = {"type": type, "run": RUN, "seq": seq, "id": f"{EPOCH}-{seq}", "ts": 1.0, "at": 2.0}
    return orjson.dumps({**head, **more, "data": data})


def _task(verb: str, name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return f"task.{verb}", {"name": name}, {"task": name}


def _started(attempt: int, **more: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    tasks = [{"name": "plan", "agent": "A"}, {"name": "write", "agent": "B"}]
    return "run.started", {"model": "m", "attempt": attempt, "tasks": tasks, **more}, {}


def _log() -> list[bytes]:
    """A run of two tasks whose gateway died in the second one."""
    told = [
        ("run.queued", {"crew": "default"}, {"cause": "c-start"}),
        _started(1),
        _task("started", "plan"),
        ("run.pausing", {}, {"cause": "c-pause"}),
        ("run.paused", {"boundary": "token"}, {"cause": "c-pause"}),
        ("run.resumed", {}, {"cause": "c-resume"}),
        _task("completed", "plan"),
        _task("started", "write"),
        ("llm.delta", {"text": "Hel"}, {"task": "write"}),
        _started(2, kept=["plan"], superseded=[8, 9]),
        _task("started", "write"),
        ("llm.delta", {"text": "Hello"}, {"task": "write"}),
        _task("completed", "write"),
        ("run.completed", {"output": "Hello"}, {"final": True}),
    ]
    return [_event(seq, type, data, **more) for seq, (type, data, more) in enumerate(told, 1)]


def _ack(id: str, seq: int, **more: Any) -> Frame:
    return {"type": "command.ack", "id": id, "ok": True, "run": RUN, "seq": seq, **more}


def _control(type: str, **fields: Any) -> Received:
    frame = {"type": type, "run": RUN, **fields}
    return Received(orjson.dumps(frame), frame)


def _received(log: list[bytes], first: int, last: int) -> list[Received]:
    return [Received(text, orjson.loads(text)) for text in log[first - 1 : last]]


def clean() -> History:
    """Two readers that hop, one of them with a cursor that is none, and a few commands."""
    log = _log()
    hello, end = _control("stream.hello"), _control("stream.end", id=f"{EPOCH}-{len(log)}")
    hopping = Reader(
        "hopping",
        [
            Connection("ws", None, [hello, *_received(log, 1, 5)]),
            Connection("sse", f"{EPOCH}-5", [hello]),
            Connection("sse", f"{EPOCH}-5", [hello, *_received(log, 6, len(log))]),
            Connection("ws", f"{EPOCH}-{len(log)}", [hello, end]),
        ],
        finished=True,
    )
    reset = _control("stream.reset", reason="malformed", **{"from": 1})
    lying = Reader(
        "lying",
        [
            Connection("sse", None, [hello, *_received(log, 1, 3)]),
            Connection("ws", "junk", [hello, reset, *_received(log, 1, len(log))]),
            Connection("sse", f"{EPOCH}-{len(log)}", [], status=204),
        ],
        finished=True,
    )
    commands = [
        Command("c-start", "start", [_ack("c-start", 1), _ack("c-start", 1, duplicate=True)]),
        Command("c-pause", "pause", [_ack("c-pause", 4)]),
        Command("c-resume", "resume", [_ack("c-resume", 6)]),
        Command("c-noop", "pause", [_ack("c-noop", 5, noop=True)]),
        Command("c-unheard", "modify"),
    ]
    return History(RUN, [hopping, lying], commands, log)


def test_a_clean_history_has_no_violations() -> None:
    assert violations(clean()) == []


def _frames(history: History, reader: int, connection: int) -> list[Received]:
    return history.readers[reader].connections[connection].received


def gap(history: History) -> None:
    del _frames(history, 0, 2)[3]


def duplicate(history: History) -> None:
    frames = _frames(history, 0, 2)
    frames.insert(3, frames[3])


def reorder(history: History) -> None:
    frames = _frames(history, 0, 2)
    frames[3], frames[4] = frames[4], frames[3]


def changed_byte_for_all(history: History) -> None:
    """Every reader has the same wrong bytes, so that only the log can tell."""
    for reader in history.readers:
        for connection in reader.connections:
            for place, (text, frame) in enumerate(connection.received):
                if frame.get("seq") == 9:
                    connection.received[place] = Received(text.replace(b"Hel", b"hel"), frame)


def changed_byte_for_one(history: History) -> None:
    frames = _frames(history, 0, 0)
    text, frame = frames[2]
    frames[2] = Received(text + b" ", frame)


def lost_end(history: History) -> None:
    del _frames(history, 0, 2)[-1:], history.readers[0].connections[3:]


def never_ended(history: History) -> None:
    history.readers[1].finished = False


def lost_event(history: History) -> None:
    """A restart that lost its newest events and wrote others."""
    history.log[8] = _event(9, "llm.delta", {"text": "other"}, task="write")


def lost_ack(history: History) -> None:
    history.commands.append(Command("c-lost", "modify", [_ack("c-lost", 9)]))


def ack_beyond_the_log(history: History) -> None:
    history.commands.append(Command("c-lost", "cancel", [_ack("c-lost", 99)]))


def forgotten_run(history: History) -> None:
    history.readers[0].connections.insert(1, Connection("sse", f"{EPOCH}-5", [], status=404))


def forgotten_run_on_a_websocket(history: History) -> None:
    error = {"code": "unknown_run", "message": "no run", "temporary": False}
    refusal = {"type": "command.ack", "id": None, "ok": False, "error": error}
    history.readers[0].connections.insert(
        1, Connection("ws", f"{EPOCH}-5", [Received(orjson.dumps(refusal), refusal)])
    )


def double_apply(history: History) -> None:
    history.log[8] = _event(9, "run.pausing", {}, cause="c-pause")


def unlike_acks(history: History) -> None:
    history.commands[0].acks.append(_ack("c-start", 7, duplicate=True))


def refused_and_done(history: History) -> None:
    error = {"code": "illegal_state", "message": "no", "temporary": False}
    refusal = {"type": "command.ack", "id": "c-pause", "ok": False, "error": error}
    history.commands[1].acks = [refusal]


def no_final(history: History) -> None:
    del history.log[-1]


def second_final(history: History) -> None:
    history.log.append(_event(15, "run.failed", {}, final=True))


def final_in_the_middle(history: History) -> None:
    history.log[4] = _event(5, "run.paused", {}, cause="c-pause", final=True)


def another_epoch(history: History) -> None:
    history.log[8] = history.log[8].replace(EPOCH.encode(), b"zzz999")


def log_with_a_hole(history: History) -> None:
    del history.log[8]


def silent_skip(history: History) -> None:
    """The cursor says 5, and what comes is 7; the reader never asked for 6 again."""
    del _frames(history, 0, 2)[1]


def unanswered_lie(history: History) -> None:
    del _frames(history, 1, 1)[1]


def needless_reset(history: History) -> None:
    reset = _control("stream.reset", reason="ahead", **{"from": 6})
    _frames(history, 0, 2).insert(1, reset)


def silent_end(history: History) -> None:
    history.readers[0].connections[3].cursor = f"{EPOCH}-12"


def early_204(history: History) -> None:
    history.readers[1].connections[2].cursor = f"{EPOCH}-12"


def forgotten_task(history: History) -> None:
    type, data, more = _started(2, kept=[], superseded=[8, 9])
    history.log[9] = _event(10, type, data, **more)


def task_again(history: History) -> None:
    type, data, more = _task("started", "plan")
    history.log[10] = _event(11, type, data, **more)


def wrong_supersession(history: History) -> None:
    type, data, more = _started(2, kept=["plan"], superseded=[7, 9])
    history.log[9] = _event(10, type, data, **more)


def attempt_twice(history: History) -> None:
    type, data, more = _started(1, kept=["plan"], superseded=[8, 9])
    history.log[9] = _event(10, type, data, **more)


PLANTED: list[tuple[Callable[[History], None], str]] = [
    (gap, "I1"),
    (duplicate, "I1"),
    (reorder, "I1"),
    (changed_byte_for_all, "I1"),
    (lost_end, "I1"),
    (never_ended, "I1"),
    (changed_byte_for_one, "I2"),
    (lost_event, "I3"),
    (lost_ack, "I3"),
    (ack_beyond_the_log, "I3"),
    (forgotten_run, "I3"),
    (forgotten_run_on_a_websocket, "I3"),
    (double_apply, "I4"),
    (unlike_acks, "I4"),
    (refused_and_done, "I4"),
    (no_final, "I5"),
    (second_final, "I5"),
    (final_in_the_middle, "I5"),
    (another_epoch, "I5"),
    (log_with_a_hole, "I5"),
    (silent_skip, "I6"),
    (unanswered_lie, "I6"),
    (needless_reset, "I6"),
    (silent_end, "I6"),
    (early_204, "I6"),
    (forgotten_task, "carried on"),
    (task_again, "carried on"),
    (wrong_supersession, "carried on"),
    (attempt_twice, "carried on"),
]


@pytest.mark.parametrize(("plant", "invariant"), PLANTED, ids=lambda p: getattr(p, "__name__", p))
def test_a_planted_fault_is_found_by_the_checker_it_belongs_to(
    plant: Callable[[History], None], invariant: str
) -> None:
    history = copy.deepcopy(clean())
    plant(history)
    assert CHECKERS[invariant](history)


def test_a_temporary_refusal_may_be_followed_by_success() -> None:
    history = clean()
    error = {"code": "unavailable", "message": "later", "temporary": True}
    refusal = {"type": "command.ack", "id": "c-pause", "ok": False, "error": error}
    history.commands[1].acks.insert(0, refusal)
    assert violations(history) == []


def test_many_violations_of_one_kind_are_told_in_a_few_lines() -> None:
    history = clean()
    _frames(history, 0, 2).reverse()
    told = [line for line in violations(history) if line.startswith("I1")]
    assert len(told) == 6
    assert told[-1].endswith("more")
