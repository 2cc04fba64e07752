"""`python -m tests.crews [WORD …]`: every crew whose name has one of the words (all without any) by
both sides, a line each as it comes, what differs below it, and the sum of it."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.crews.compare import differences, words
from tests.crews.model import Model
from tests.crews.registry import CREWS, FAILING
from tests.crews.sides import Answers, Sides
from tests.worker.harness import Zygote, clean_environment

_WIDTH = 2_000
"""Characters of a difference that are shown."""


def main() -> int:
    wanted = [name for name in CREWS if any(word in name for word in sys.argv[1:] or [""])]
    equal, events = 0, 0
    types: set[str] = set()
    with Model() as model, Zygote(clean_environment()) as zygote, Sides(zygote, model) as sides:
        for name in wanted:
            began = time.monotonic()
            model.requests.clear()
            with tempfile.TemporaryDirectory(prefix="crews-") as folder:
                direct = sides.directly(CREWS[name], Path(folder))
                worker = sides.worker("sidecar", Path(folder))
                try:
                    worker.start(sides.spec(CREWS[name], "sidecar", Path(folder)))
                    Answers(worker).rest()
                finally:
                    worker.kill()
            found = differences(direct, worker.facts, model.asked("sidecar"))
            told = sum(words(direct.events, own_crew=False).values())
            equal, events = equal + (not found), events + told
            types |= {event["type"] for event in direct.events}
            verdict = ", ".join(found) if found else "equal"
            if (direct.error is not None) != (name in FAILING):
                verdict += f"; by CrewAI alone: {direct.error}"
            seconds = time.monotonic() - began
            print(f"{name:<40} {seconds:5.1f} s {told:4} events  {verdict}", flush=True)
            for what, (theirs, ours) in found.items():
                print(f"    {what}\n      crewai  {theirs!s:.{_WIDTH}}", flush=True)
                print(f"      sidecar {ours!s:.{_WIDTH}}", flush=True)
    print(f"{len(wanted)} crews, {equal} equal, {events} events of {len(types)} types", flush=True)
    return 0 if equal == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
