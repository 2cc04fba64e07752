"""Names of inputs that stand in for each other."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.inputs import SAME, standing_in


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
