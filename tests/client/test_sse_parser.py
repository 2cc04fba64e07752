from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.client import sse_parser as sse
from sidecar.client.sse_parser import BlockTooLong, SseParser

_FILE = json.loads((Path(__file__).parent.parent / "vectors" / "sse.json").read_text())
VECTORS = _FILE["vectors"] + _FILE["parse_only"]


def parse(chunks: list[bytes]) -> tuple[list[dict[str, str]], SseParser]:
    parser = SseParser()
    frames = []
    for chunk in chunks:
        for frame in parser.feed(chunk):
            fields = {"event": frame.event, "id": frame.id, "data": frame.data}
            frames.append({k: v for k, v in fields.items() if v is not None})
    return frames, parser


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_every_vector_parses_the_same_at_every_cut(vector: dict[str, Any]) -> None:
    raw = vector["bytes"].encode()
    cuts = range(len(raw) + 1) if len(raw) < 400 else range(0, len(raw) + 1, 37)
    for cut in cuts:
        frames, parser = parse([raw[:cut], raw[cut:]])
        assert frames == vector["frames"]
        if "last_event_id" in vector:
            assert parser.last_event_id == vector["last_event_id"]
        if "retry" in vector:
            assert parser.retry == vector["retry"]
    frames, _ = parse([raw[i : i + 1] for i in range(len(raw))])
    assert frames == vector["frames"]


def test_an_endless_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_BLOCK", 100)
    with pytest.raises(BlockTooLong):
        parse([b"data: x\n" * 20])
    with pytest.raises(BlockTooLong):
        parse([b"x" * 101])
