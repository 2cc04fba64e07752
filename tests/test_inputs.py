"""Names of inputs that stand in for each other."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from sidecar.inputs import SAME, fill_in, lacking, refusal, standing_in

TODAY = datetime.date(2026, 11, 24)


@pytest.mark.parametrize(
    ("inputs", "wanted", "filled"),
    [
        ({"message": "tea"}, ["user_input"], {"message": "tea", "user_input": "tea"}),
        ({"campaign_context": "tea"}, ["message"], {"campaign_context": "tea", "message": "tea"}),
        ({"message": "tea", "user_input": "cups"}, SAME, {"campaign_context": "cups"}),
        ({"message": " ", "user_input": "cups"}, ["message"], {"message": "cups"}),
        ({"message": None, "user_input": "cups"}, ["message"], {"message": "cups"}),
        ({"locale": "de"}, ["output_language"], {"output_language": "de"}),
        ({"language": "id", "locale": "de"}, SAME, {"output_language": "id"}),
        ({"message": "tea"}, ["topic"], {}),
        ({"message": "tea"}, [], {}),
        ({"message": ""}, SAME, {}),
        ({"topic": "tea"}, SAME, {}),
    ],
)
def test_a_name_that_is_wanted_takes_what_another_name_of_it_says(
    inputs: dict[str, Any], wanted: list[str], filled: dict[str, Any]
) -> None:
    assert standing_in(inputs, wanted) == {**inputs, **filled}


def test_what_was_given_stays_as_it_was() -> None:
    inputs = {"message": "tea", "language": 7}
    assert standing_in(inputs, ["user_input"])["language"] == 7
    assert inputs == {"message": "tea", "language": 7}


@pytest.mark.parametrize(
    ("inputs", "wanted", "filled", "left"),
    [
        ({"message": "tea"}, ["topic"], {"topic": "tea"}, []),
        ({"user_input": "tea"}, ["topic"], {"topic": "tea"}, []),
        (
            {"message": "tea"},
            ["topic", "current_year"],
            {"topic": "tea", "current_year": "2026"},
            [],
        ),
        ({"topic": "tea"}, ["topic", "current_date"], {"current_date": "2026-11-24"}, []),
        ({"message": "tea", "topic": "cups"}, ["topic"], {}, []),
        ({"message": "tea"}, ["topic", "city"], {}, ["topic", "city"]),
        ({"message": "tea", "city": "Ulm"}, ["topic", "city"], {"topic": "tea"}, []),
        ({"message": "tea"}, ["message", "city"], {}, ["city"]),
        ({"message": "tea"}, ["user_input", "city"], {"user_input": "tea"}, ["city"]),
        ({"message": " "}, ["topic"], {}, ["topic"]),
        ({}, ["topic"], {}, ["topic"]),
        ({"current_year": "1999"}, ["current_year"], {}, []),
        ({"message": "tea"}, ["message", "history"], {"history": ""}, []),
        ({"message": "tea"}, ["topic", "history"], {"topic": "tea", "history": ""}, []),
        ({"message": "tea", "history": "User: hi"}, ["message", "history"], {}, []),
        ({}, ["history"], {"history": ""}, []),
    ],
)
def test_a_crew_gets_what_can_be_told_and_the_rest_is_named(
    inputs: dict[str, Any], wanted: list[str], filled: dict[str, Any], left: list[str]
) -> None:
    given = fill_in(inputs, wanted, TODAY)
    assert given == {**inputs, **filled}
    assert lacking(given, wanted) == left


def test_history_alone_is_no_input_of_anybodys() -> None:
    assert fill_in({"history": "User: hi"}, ["message", "history"], TODAY) == {}


def test_nobody_is_told_to_give_the_history() -> None:
    said = refusal(["message"], ["city"], ["message", "history", "city"])
    assert said == "this crew wants {message}, {city}; you sent {message}; missing: {city}"
    said = refusal(["message"], ["city", "topic"], ["history", "city", "topic"])
    assert said == "this crew wants {city}, {topic}; you sent {message}"
