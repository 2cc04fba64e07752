"""What the crew that ships makes of a second message: a real gateway, and a model that listens."""

from __future__ import annotations

from sidecar.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script

THREAD = "shop"


async def turn(crew: CrewClient, brief: str) -> None:
    """A run of the thread, to its end."""
    run = await crew.start({"message": brief}, thread=THREAD)
    async for event in crew.follow(run):
        last = event
    assert last["type"] == "run.completed", last


def prompts(model: OpenAIServer) -> list[str]:
    """What the model was asked since the last time that somebody looked."""
    asked = [request["body"]["messages"][-1]["content"] for request in model.requests]
    model.requests.clear()
    return asked


async def test_make_it_shorter_is_said_of_the_plan_that_was_made_before(
    start_sidecar: StartSidecar,
) -> None:
    with OpenAIServer(Script(tokens=("A ", "plan"))) as model:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-test-0123456789", OPENAI_BASE_URL=model.base_url
        )
        async with sidecar.client() as crew:
            await turn(crew, "a tea shop opens")
            assert ["<history>\n\n</history>" in asked for asked in prompts(model)] == [True] * 3
            model.script = Script(tokens=("A ", "short ", "one"))
            await turn(crew, "make it shorter")
            for asked in prompts(model):
                before, _, brief = asked.partition("</history>")
                assert "User: a tea shop opens\n\nCrew:" in before
                assert "## create_content_plan\n\nA plan" in before
                assert "<brief>\nmake it shorter\n</brief>" in brief
            await turn(crew, "and warmer")
            for asked in prompts(model):
                before = asked.partition("</history>")[0]
                assert before.index("A plan") < before.index("User: make it shorter")
                assert before.index("User: make it shorter") < before.index("A short one")
