"""A run from Python: start it, follow it, and say something to the crew while it works.

With a sidecar at its usual address (`make serve`), in a checkout:

    PYTHONPATH=. .venv/bin/python docs/examples/client.py "a tea shop opens in Lisbon"

Where crew-sidecar is installed, `python client.py` will do. CREW_URL names a sidecar elsewhere.
"""

import asyncio
import os
import sys

from sidecar.client import CrewClient

URL = os.environ.get("CREW_URL", "http://127.0.0.1:8770")


async def main(brief: str) -> int:
    async with CrewClient(URL) as crew:
        run = await crew.start({"message": brief})
        told = False
        # Through cut connections and restarts: every event once, in order, up to the final one.
        async for event in crew.follow(run):
            kind, data = event["type"], event["data"]
            if kind == "llm.delta" and data["kind"] == "text":
                print(data["text"], end="", flush=True)
                if not told:
                    told = True
                    # The agents hear it before their next model call.
                    await crew.modify(run, instruction="Mention the river.")
            elif kind == "task.started":
                print(f"\n\n--- {event['agent']}: {data['name']}")
            elif kind == "run.modified":
                print(f"\n--- the crew was told: {data['instruction']}")
            elif event.get("final"):
                print(f"\n\n--- {kind} after {data['seconds']:.1f} s")
    return 0 if kind == "run.completed" else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "a tea shop opens in Lisbon")))
