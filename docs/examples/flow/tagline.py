"""A CrewAI Flow: two methods with a router between them.

    cd docs/examples/flow
    crew-sidecar --crew tagline:Tagline

(In a checkout that nobody installed, `PYTHONPATH=../../.. ../../../.venv/bin/python -m sidecar` is
the same as `crew-sidecar`.)

What a flow is given as inputs is its state; here that is the brief, `message`. Its crews and agents
stream and are steered like any other, and what its last method returns is the run's output.
Without a key in the environment the offline model stands in.
"""

from typing import Literal

from crewai import Agent, Crew, Flow, Task
from crewai.flow.flow import listen, router, start

LONGEST = 60
"""Characters that fit on the sign."""


class Tagline(Flow[dict[str, str]]):
    @start()
    def write(self) -> str:
        writer = Agent(role="Copywriter", goal="Say it in one line", backstory="You paint signs.")
        task = Task(
            name="write_tagline",
            description="Write a tagline for {message}.",
            expected_output=f"One line of at most {LONGEST} characters.",
            agent=writer,
        )
        crew = Crew(agents=[writer], tasks=[task])
        self.state["tagline"] = str(crew.kickoff(inputs={"message": self.state["message"]}))
        return self.state["tagline"]

    @router(write)
    def measure(self) -> Literal["fits", "too_long"]:
        return "fits" if len(self.state["tagline"]) <= LONGEST else "too_long"

    @listen("fits")
    def hang_up(self) -> str:
        return self.state["tagline"]

    @listen("too_long")
    def cut(self) -> str:
        return self.state["tagline"][: LONGEST - 1].rstrip() + "…"
