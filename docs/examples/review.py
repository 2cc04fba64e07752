"""A person in the loop, played by a script: the crew asks about its plan, and gets an answer.

With a sidecar at its usual address (`make serve`), in a checkout:

    PYTHONPATH=. .venv/bin/python docs/examples/review.py "a tea shop opens in Lisbon"

The run waits for as long as nobody answers (SIDECAR_INPUT_TIMEOUT sets a bound). Whoever answers
first counts: this script, the page, or another terminal. CREW_URL names a sidecar elsewhere.
"""

import asyncio
import os
import sys

from sidecar.client import CrewClient

URL = os.environ.get("CREW_URL", "http://127.0.0.1:8770")


def opinion(question: int) -> str:
    """Put your own judgement here. An empty answer accepts, anything else is feedback."""
    return "Name one piece only." if question == 1 else ""


async def main(brief: str) -> int:
    async with CrewClient(URL) as crew:
        run = await crew.start({"message": brief}, review=["create_content_plan"])
        questions = 0
        async for event in crew.follow(run):
            kind, data = event["type"], event["data"]
            if kind == "input.requested":
                questions += 1
                print(f"the crew asks: {data['prompt']}\n{data['output']}\n")
                await crew.answer(run, data["input"], opinion(questions))
            elif kind == "input.answered":
                print(f"answered: {data['text'] or '(accepted)'}\n")
            elif event.get("final"):
                print(f"{kind} after {questions} questions")
    return 0 if kind == "run.completed" else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "a tea shop opens in Lisbon")))
