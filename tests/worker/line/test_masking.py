"""Secrets in texts that are whole, and in texts that come in pieces."""

from __future__ import annotations

import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.worker.line.masking import Mask, Masking

SECRET = 'pa"ss\nw/örd é'
KEY = "sk-proj-CANARYopenai0123456789"


def in_pieces(mask: Mask, pieces: list[str]) -> str:
    masking = Masking(mask)
    return "".join([*(masking.add(piece) for piece in pieces), masking.end()])


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
    ],
)
def test_a_secret_is_masked_in_any_form(text: str) -> None:
    assert "***" in Mask((SECRET,)).text(f"x{text}y")
    assert "rd" not in Mask((SECRET,)).text(f"x{text}y")


def test_a_secret_that_contains_another_is_masked_whole_in_whatever_order_they_came() -> None:
    for secrets in (("12345678", "123456789"), ("123456789", "12345678")):
        assert Mask(secrets).text("a123456789b") == "a***b"


@pytest.mark.parametrize("size", range(1, len(KEY) + 1))
def test_a_key_in_tokens_is_masked(size: int) -> None:
    text = f"the key is {KEY}, and {KEY}"
    pieces = [text[n : n + size] for n in range(0, len(text), size)]
    assert in_pieces(Mask((KEY,)), pieces) == "the key is ***, and ***"


def test_what_cannot_become_a_secret_is_shown_at_once() -> None:
    masking = Masking(Mask((KEY,)))
    assert masking.add("The asks ") == "The asks "
    assert masking.add("Ask s") == "Ask "
    assert masking.add("k") == ""
    assert masking.add("ill") == "skill"


def test_what_only_began_like_a_secret_is_shown_at_the_end() -> None:
    masking = Masking(Mask((KEY,)))
    assert masking.add("sk-proj-") == ""
    assert masking.end() == "sk-proj-"
    assert masking.end() == ""


def test_without_secrets_nothing_is_held() -> None:
    assert Masking(Mask(())).add("sk-proj-CANARY") == "sk-proj-CANARY"


def test_a_variable_that_is_not_utf_8_is_masked_too() -> None:
    assert Mask(("\udcff12345678",)).text("x\udcff12345678") == "x***"


secrets = st.lists(st.text("ab\n", min_size=2, max_size=6), max_size=4)


@given(secrets, st.data())
def test_whatever_the_cut_no_secret_passes_and_nothing_else_is_lost(
    values: list[str], data: st.DataObject
) -> None:
    parts = st.sampled_from([*values, *(value[:-1] for value in values), "a", "b", "c", "\n"])
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    mask = Mask(values)
    shown = in_pieces(mask, pieces)
    assert shown == mask.text(text)
    assert not any(value in shown for value in values)
    masking = Masking(mask)
    for piece in pieces:
        masking.add(piece)
        assert len(masking._held) < max((len(json.dumps(value)) for value in values), default=1)


def test_many_long_secrets_cost_microseconds_per_token() -> None:
    """A private key of 1.7 KB and thirty others: about 5 µs, and 100 are allowed."""
    keys = [f"{n:02}{KEY}" for n in range(30)]
    pem = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDabcdefghijklm\n" * 26
    masking = Masking(Mask((*keys, pem)))
    began = time.process_time()
    for _ in range(10_000):
        masking.add("MI t")
    assert time.process_time() - began < 1.0
