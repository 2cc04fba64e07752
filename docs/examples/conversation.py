"""A conversation of two turns: the second brief changes what the crew wrote for the first.

With a sidecar at its usual address (`make serve`), in a checkout:

    PYTHONPATH=. .venv/bin/python docs/examples/conversation.py "a tea shop opens in Lisbon"

The runs of a thread are one conversation. Its crew gets what was said so far as `{history}`, as
config/tasks.yaml has it, and GET /threads, `crew-sidecar threads` and the page list it under its
title. CREW_URL names a sidecar elsewhere.
"""

import asyncio
import os
import sys
import uuid

from sidecar.client import CrewClient

URL = os.environ.get("CREW_URL", "http://127.0.0.1:8770")


async def say(crew: CrewClient, thread: str, brief: str) -> None:
    """One turn: a run in the thread, which follows the newest one there."""
    run = await crew.start({"message": brief}, thread=thread)
    print(f"\n\n=== {brief}")
    async for event in crew.follow(run):
        if event["type"] == "task.completed":
            print(f"\n--- {event['agent']}\n{event['data']['output']}")
        elif event.get("final") and event["type"] != "run.completed":
            sys.exit(f"{event['type']}: {event['data'].get('error')}")


async def main(brief: str) -> None:
    thread = f"t_{uuid.uuid4().hex}"
    async with CrewClient(URL) as crew:
        await say(crew, thread, brief)
        await say(crew, thread, "make it shorter")
        kept = await crew.thread(thread)
        print(f"\n“{kept['title']}” has {len(kept['runs'])} runs: {thread}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "a tea shop opens in Lisbon"))
