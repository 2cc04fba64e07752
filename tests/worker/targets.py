"""Crews as a user would write them in Python, for `SIDECAR_CREW`; imported only by workers."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewai import Agent, Crew, Flow, Task
from crewai.flow import HumanFeedbackPending, human_feedback
from crewai.flow.flow import listen, start
from crewai.flow.persistence import persist
from crewai.project import CrewBase, agent, crew, task
from crewai.tasks.conditional_task import ConditionalTask
from crewai.tools import tool
from pydantic import BaseModel

from sidecar.worker.engine import gates, offline
from sidecar.worker.engine.models import choose, create
from sidecar.worker.engine.offline import OfflineLLM

seen: list[Any] = []


def _llm() -> OfflineLLM:
    return OfflineLLM(model="offline")


def _crew(tools: list[Any] | None = None, **options: Any) -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=_llm(), tools=tools or [])
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first], **options)


def a_function() -> Crew:
    return _crew()


a_crew = _crew()


def unnamed() -> Crew:
    made = _crew()
    made.tasks[0].name = None
    made.tasks.append(Task(description="More", expected_output="Text", agent=made.agents[0]))
    return made


def no_model() -> Crew:
    """What somebody without a key writes: CrewAI then takes its default OpenAI model."""
    writer = Agent(role="Writer", goal="Write", backstory="Writes.")
    only = Task(name="only", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[only])


@CrewBase
class Decorated:
    @agent
    def writer(self) -> Agent:
        return Agent(role="Writer", goal="Write", backstory="Writes.", llm=_llm())

    @task
    def write(self) -> Task:
        return Task(description="On {message}", expected_output="Text", agent=self.writer())  # type: ignore[call-arg]

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)  # type: ignore[attr-defined]


class Forgetful(Flow[dict[str, Any]]):
    """Without the memory that CrewAI makes for every flow, as its own agents' flows are: to import
    the database of that takes 1.6 s. `Remembering` has it."""

    _skip_auto_memory: bool = True


class AFlow(Forgetful):
    @start()
    def write(self) -> str:
        return str(_crew().kickoff(inputs={"message": self.state["message"]}))

    @listen(write)
    def wrap(self, text: str) -> str:
        return f"wrapped: {text}"


class Remembering(Flow[dict[str, Any]]):
    """`AFlow` again: CrewAI does not take a flow's methods from its base class."""

    @start()
    def write(self) -> str:
        return str(_crew().kickoff(inputs={"message": self.state["message"]}))

    @listen(write)
    def wrap(self, text: str) -> str:
        return f"wrapped: {text}"


def with_callback() -> Crew:
    def mine(answer: Any) -> None:
        print("mine saw", type(answer).__name__, flush=True)

    return _crew(tools=[shout], step_callback=mine)


@tool("shout")
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


def talkative() -> Crew:
    made = _crew(tools=[shout], verbose=True)
    made.agents[0].verbose = True
    return made


def prints() -> Crew:
    @tool("noisy")
    def noisy(text: str) -> str:
        """Prints in every way there is."""
        print("from print: grüße")
        print("to stderr", file=sys.stderr)
        os.write(1, b"from a descriptor\n")
        subprocess.run(["echo", "from a child"], check=True)
        sys.stdout.write("no newline")
        return "ok"

    return _crew(tools=[noisy])


def leaks() -> Crew:
    @tool("leaky")
    def leaky(text: str) -> dict[str, str]:
        """Gives secrets away."""
        print("key:", os.environ["CANARY_API_KEY"])
        return {"key": os.environ["CANARY_API_KEY"], "password": os.environ["CANARY_PASSWORD"]}

    return _crew(tools=[leaky])


def slow_tool() -> Crew:
    @tool("slow")
    def slow(text: str) -> str:
        """Takes a second, and writes down that it was not cut off."""
        print("begun", flush=True)
        time.sleep(1)
        Path(os.environ["SIDECAR_RUN_DIR"], "tool-finished").touch()
        return "done"

    return _crew(tools=[slow])


def stuck_tool() -> Crew:
    @tool("stuck")
    def stuck(text: str) -> str:
        """Never comes back."""
        time.sleep(3600)
        return "never"

    return _crew(tools=[stuck])


def hungry_tool() -> Crew:
    @tool("hungry")
    def hungry(text: str) -> str:
        """Wants more memory than there is."""
        return str(len(bytearray(8 << 30)))

    return _crew(tools=[hungry])


def failing_tool() -> Crew:
    @tool("failing")
    def failing(text: str) -> str:
        """Raises."""
        raise RuntimeError("the tool broke")

    return _crew(tools=[failing])


def dies() -> Crew:
    @tool("deadly")
    def deadly(text: str) -> str:
        """Ends the process as a crash does."""
        os.kill(os.getpid(), 9)
        return "never"

    return _crew(tools=[deadly])


def exits() -> Crew:
    @tool("exiting")
    def exiting(text: str) -> str:
        """Calls sys.exit."""
        sys.exit(3)

    return _crew(tools=[exiting])


def talkative_tool() -> Crew:
    """Its model calls it with 12 MB of arguments: 200 texts of what JSON has to escape, in one
    piece, since it has no words to stream it by."""
    vars(offline)["_argument"] = lambda _schema, _brief: ['"' * 30_000] * 200

    @tool("talkative")
    def talkative(texts: list[str]) -> str:
        """Counts what it is given."""
        return f"{sum(map(len, texts))} characters"

    return _crew(tools=[talkative])


def slow_model() -> Crew:
    os.environ["OFFLINE_TOKEN_MS"] = "20"
    os.environ["OFFLINE_TOKENS"] = "100000"
    return _crew()


def leaves_a_child() -> Crew:
    @tool("parent")
    def parent(text: str) -> str:
        """Starts a process that outlives it."""
        child = subprocess.Popen(["sleep", "600"])
        return f"child {child.pid}"

    return _crew(tools=[parent])


def talks_react() -> Crew:
    """A model without native tool calls: CrewAI then uses its ReAct prompt."""

    class React(OfflineLLM):
        def supports_function_calling(self) -> bool:
            return False

        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            asked = any("Observation:" in str(m.get("content")) for m in messages[2:])
            if asked:
                return "Thought: I know\nFinal Answer: SPRING"
            return 'Thought: louder\nAction: shout\nAction Input: {"text": "spring"}'

    writer = Agent(
        role="Writer", goal="Write", backstory="Writes.", llm=React(model="offline"), tools=[shout]
    )
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first])


def chatty_child() -> Crew:
    @tool("chatty")
    def chatty(text: str) -> str:
        """Leaves a child behind that goes on printing."""
        _start_talking()
        return "it talks"

    return _crew(tools=[chatty])


def _start_talking() -> None:
    talk = "import time\nfor n in range(100000): print(n, flush=True); time.sleep(0.01)"
    subprocess.Popen([sys.executable, "-c", talk])


def chatty_from_the_start() -> Crew:
    """A child process that prints all the time is there before the crew is."""
    _start_talking()
    return _crew()


def hung_tool() -> Crew:
    return _hung(lambda: time.sleep(600))


def hung_interpreter() -> Crew:
    """Its tool never lets go of the interpreter: no other Python of its process runs."""
    return _hung(lambda: ctypes.PyDLL(None).sleep(600))


def _hung(hang: Callable[[], Any]) -> Crew:
    linger = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    )

    @tool("hung")
    def hung(text: str) -> str:
        """Starts a child that ignores SIGTERM and writes its pid into the pipe `said` of the run's
        folder; never comes back."""
        said = Path(os.environ["SIDECAR_RUN_DIR"]) / "said"
        with subprocess.Popen([sys.executable, "-c", linger, said]):
            hang()
        return "never"

    return _crew(tools=[hung])


def conditional() -> Crew:
    """The second task is done if the first one's structure says so."""

    def wanted(output: Any) -> bool:
        return output.pydantic is not None and bool(output.pydantic.more)

    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=_llm())
    texts: dict[str, Any] = {"expected_output": "Text", "agent": writer}
    first = Task(name="first", description="On {message}", output_pydantic=Verdict, **texts)
    more = ConditionalTask(name="more", description="More", condition=wanted, **texts)
    last = Task(name="last", description="The end", **texts)
    return Crew(agents=[writer], tasks=[first, more, last])


class Verdict(BaseModel):
    more: bool


def parallel() -> Crew:
    """Two tasks that write at the same time, and one that waits for both."""
    writers = [
        Agent(role=f"Writer {name}", goal="Write", backstory="Writes.", llm=_llm())
        for name in ("A", "B", "C")
    ]
    both = [
        Task(
            name=f"task_{number}",
            description="On {message}",
            expected_output="Text",
            agent=writer,
            async_execution=number < 3,
        )
        for number, writer in enumerate(writers, 1)
    ]
    return Crew(agents=list(writers), tasks=both)


def impatient() -> Crew:
    """A crew whose pauses hold a reply up only for a moment; the reply takes longer."""
    os.environ["OFFLINE_TOKEN_MS"] = "20"
    gates.READ_AHEAD_AFTER = 0.1  # type: ignore[misc]
    return _crew(tools=[shout])


def slow_and_impatient() -> Crew:
    """The same with the reply of a hosted model."""
    gates.READ_AHEAD_AFTER = 0.1  # type: ignore[misc]
    llm = create(choose(os.environ))
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first])


def hosted() -> Crew:
    """Two tasks and templates everywhere, for a hosted model."""
    llm = create(choose(os.environ))
    writer = Agent(
        role="Writer for {reader}",
        goal="Please {reader}",
        backstory="Knows {reader}.",
        llm=llm,
        tools=[shout],
    )
    names = ("draft", "polish")
    tasks = [
        Task(
            name=name,
            description=f"{name} on {{message}} for {{reader}}",
            expected_output="Text about {message}",
            agent=writer,
        )
        for name in names
    ]
    return Crew(agents=[writer], tasks=list(tasks))


def guarded() -> Crew:
    """One task for a hosted model whose first two results are refused."""
    made = slow_and_impatient()
    refusals = iter([False, False])

    def guardrail(output):  # type: ignore[no-untyped-def]
        # Without annotations: CrewAI reads them, and here they would be text.
        return next(refusals, True), output.raw

    task = made.tasks[0]
    first = Task(
        name="first",
        description=task.description,
        expected_output=task.expected_output,
        agent=task.agent,
        guardrail=guardrail,
    )
    return Crew(agents=made.agents, tasks=[first])


class Asynchronous(Forgetful):
    """A crew of a hosted model's on an event loop."""

    @start()
    async def write(self) -> str:
        return str(await hosted().akickoff(inputs=self.state))


class Pausing(Forgetful):
    """Works for a while before it asks its model."""

    @start()
    def write(self) -> str:
        print("ready", flush=True)
        time.sleep(0.5)
        return str(_llm().call("Write about {message}"))


class Asking(Forgetful):
    @start()
    def write(self) -> str:
        return f"asked: {self.ask('Which colour?')}"


class Impatient(Forgetful):
    @start()
    def write(self) -> str:
        return f"asked: {self.ask('Which colour?', timeout=0.05, metadata={'why': 'paint'})}"


class FromTheKeyboard(Forgetful):
    @start()
    def write(self) -> str:
        print("There are two colours.")
        return f"typed: {input('Which colour? ')}"


class Reviewed(Forgetful):
    @start()
    @human_feedback(message="Is it good?")
    def write(self) -> str:
        return "a draft"

    @listen(write)
    def told(self, result: Any) -> str:
        return f"{result.output}, told: {result.feedback}"


class _Later:
    """Sends the question to somebody who answers some day, as CrewAI's documentation has it."""

    def request_feedback(self, context: Any, _flow: Any) -> str:
        raise HumanFeedbackPending(context=context, callback_info={"sent": "by mail"})


class PutOff(Forgetful):
    @start()
    @human_feedback(
        message="Is it good?",
        emit=["approved", "rejected"],
        llm=_llm(),
        default_outcome="rejected",
        metadata={"who": "the boss"},
        provider=_Later(),
    )
    def write(self) -> dict[str, str]:
        return {"draft": "a draft"}

    @listen("approved")
    def publish(self) -> dict[str, str]:
        return {"published": "yes"}

    @listen("rejected")
    def drop(self) -> None:
        return None


def _pair() -> Crew:
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=_llm())
    tasks = [
        Task(name=name, description=f"{name} of {{topic}}", expected_output="Text", agent=writer)
        for name in ("draft", "polish")
    ]
    return Crew(agents=[writer], tasks=tasks)


class Rounds(Forgetful):
    """Two rounds of one crew object, a question after each."""

    @start()
    def work(self) -> str:
        crew, said = _pair(), []
        for topic in ("tea", "cups"):
            output = crew.kickoff(inputs={"topic": topic})
            said.append(f"{output}|{self.ask(f'Good {topic}?')}")
        return "\n".join(said)


class Counted(BaseModel):
    id: str = "the-counter"
    count: int = 0


@persist()
class Counting(Flow[Counted]):
    """Remembers by CrewAI's own means how often it ran."""

    _skip_auto_memory: bool = True

    @start()
    def count(self) -> int:
        self.state.count += 1
        count: int = self.state.count
        return count


class WhereKnowledgeLies(Forgetful):
    @start()
    def tell(self) -> str:
        from crewai.rag.chromadb.config import _default_settings

        return _default_settings().persist_directory


def returns_nothing() -> None:
    return None


def raises() -> Crew:
    raise ValueError("no luck today")


not_a_crew = 42
