"""`python -m sidecar run "brief"`: one run in a terminal, live, with keys to steer it.

p pauses, r resumes, c or Ctrl-C cancels; a line is said to the crew; a question of the crew is a
prompt. Where stdout is not a
terminal the progress goes to stderr and stdout gets the run's output alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from sidecar.client import CrewClient, Disconnected, Frame
from sidecar.errors import CommandError, SettingsError
from sidecar.keyboard import Line, has_keys, keys
from sidecar.labels import Labels
from sidecar.nearby import answers, one_nearby
from sidecar.opening import open_run
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = ["run_in_terminal"]

_EXIT_CODES: Final = {"run.completed": 0, "run.cancelled": 130}
_CANCELLING: Final = ("SIGINT", "SIGTERM", "SIGHUP")
"""A terminal that is closed, too: a sidecar of our own ends with the run, and so do its files."""
_PROMPT: Final = "> "
_LINE_SECONDS: Final = 20.0
"""Without a key, after which a line holds up no longer what the run says."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What drives a terminal: a title, the clipboard (OSC 52), a cleared screen, in either length of
ECMA-48 section 5.3. Tabs and line feeds are text; rich takes out five of the others."""


async def run_in_terminal(
    settings: Settings,
    inputs: dict[str, Any],
    *,
    url: str | None,
    review: Sequence[str],
    thread: str | None = None,
    from_: tuple[str, str] | None = None,
    show: bool = False,
) -> int:
    """The exit code: 0 completed, 130 cancelled, 1 anything else. `from_`: run and task; `show` its
    page in a browser too.

    Raises SettingsError for a review where nobody can be asked, and for a fork where no sidecar
    can have its run.
    """
    if review and not has_keys():
        raise SettingsError(
            "--review asks you here, and there is no terminal to read from: run it in one, or let "
            "a program answer, as docs/examples/review.py does"
        )
    piped = not sys.stdout.isatty()
    console = Console(stderr=piped, highlight=False, soft_wrap=True)
    if from_ is not None and url is None:
        if not await answers(settings.url):
            raise SettingsError(
                f"--from wants the sidecar that has run {from_[0]}, and none answers at "
                f"{settings.url}: start it, or say where it is with --url"
            )
        url = settings.url
    async with one_nearby(settings, url) as sidecar, CrewClient(sidecar.url) as crew:
        if sidecar.own:
            ends = ", with which its thread ends" if thread else ""
            console.print(f"[dim]no sidecar is running; this run gets one of its own{ends}[/dim]")
        run = await crew.start(inputs, review=review, thread=thread, from_=from_)
        trouble = await open_run(sidecar.url, run) if show else None
        if trouble is not None:
            console.print(escape(trouble))
        last = await _Session(crew, run, console).follow()
        if thread is not None:
            console.print(f"[dim]thread {thread}[/dim]")
        if show and trouble is None and sidecar.own and has_keys():
            console.print("[dim]its page is there until Ctrl-C[/dim]")
            await _interrupted()
    if piped and last["type"] == "run.completed" and last["data"]["output"] is not None:
        print(last["data"]["output"])
    return _EXIT_CODES.get(last["type"], 1)


class _Session:
    """One run on one terminal: what it says is printed, what is typed becomes commands."""

    def __init__(self, crew: CrewClient, run: str, console: Console) -> None:
        self._crew = crew
        self._run = run
        self._console = console
        self._labels = Labels()
        self._spot: tuple[str | None, str] = (None, "")
        """Whose words are being printed: the execution's key and the agent."""
        self._aside = ""
        """The last line of this kind: an end mostly says what its beginning said."""
        self._question: Frame | None = None
        """The data of the open one."""
        self._in_trouble = False
        self._call: str | None = None
        self._at_line_start = True
        self._cancelling = False
        self._stopping = False
        self._line = Line(self._write)
        """An answer, or words for the crew."""
        self._commands = Tasks()

    async def follow(self) -> Frame:
        """Print until the final event, and return it."""
        loop = asyncio.get_running_loop()
        for name in _CANCELLING:
            with contextlib.suppress(NotImplementedError, AttributeError):  # Windows
                loop.add_signal_handler(getattr(signal, name), self._cancel)
        try:
            with keys(self._on_keys):
                last = await self._until_final()
            await self._commands.settle()
        finally:
            await self._commands.close()
        return last

    async def _until_final(self) -> Frame:
        if has_keys():
            self._say("[dim]p pause · r resume · c cancel · Enter, then words for the crew[/dim]")
        async for frame in self._crew.follow(self._run, controls=True):
            if frame["type"] in ("stream.hello", "stream.ping"):
                self._tell_trouble(frame.get("trouble"))
            elif "data" in frame:
                last = frame
                if self._question is None:
                    await self._line.ended(_LINE_SECONDS)
                self._show(frame)
        return last

    def _tell_trouble(self, trouble: str | None) -> None:
        """Every ping says it while it lasts; people are told once, and once when it is over."""
        if trouble is not None and not self._in_trouble:
            self._say(f"[red]the run stands still: {escape(trouble)}[/red]")
        elif trouble is None and self._in_trouble:
            self._say("[green]the run goes on[/green]")
        self._in_trouble = trouble is not None

    def _show(self, event: Frame) -> None:
        type, data = event["type"], event["data"]
        if type == "llm.delta":
            if data["kind"] == "text":
                self._go_to(event)
                self._stream(data["call"], data["text"])
        elif type == "run.started":
            self._on_started(data)
        elif type in _BEGINNINGS:
            self._head(event, self._labels.begin(event), _BEGINNINGS[type])
        elif type == "method.completed" and data.get("route"):
            self._say(f"[dim]{escape(self._labels.of(event))} → {escape(data['route'])}[/dim]")
        elif type in _FAILURES:
            label = escape(self._labels.of(event))
            self._say(f"[red]{label} failed: {escape(str(data.get('error')))}[/red]")
        elif type.partition(".")[0] in _ASIDES:
            if (line := _aside(type, data)) and line != self._aside:
                self._go_to(event)
                self._say(line)
                self._aside = line
        elif type == "tool.started":
            self._go_to(event)
            self._say(f"[cyan]› {escape(data['tool'])}[/cyan] [dim]{escape(_short(data))}[/dim]")
        elif type == "llm.retrying":
            self._go_to(event)
            self._say(f"[yellow]{_retrying(data)}[/yellow]")
        elif type == "log" and not self._stopping:
            self._say(f"[dim]{escape(data['text'].rstrip())}[/dim]")
        elif type == "run.modifying":
            self._say(f"[yellow]{escape(_change(data))}[/yellow]")
        elif type == "run.modified":
            self._say("[yellow]the crew has been told[/yellow]")
        elif type == "input.requested":
            self._ask(data)
        elif type in ("input.answered", "input.expired"):
            self._question = None
            self._say(f"[yellow]{_ANSWERS[type](data)}[/yellow]")
        elif type in _NOTES:
            # What CrewAI prints about being stopped is news to nobody.
            self._stopping = type == "run.cancelling"
            self._say(f"[yellow]{_NOTES[type]}[/yellow]")
        elif event.get("final"):
            self._say(_ending(type, data))

    def _go_to(self, event: Frame) -> None:
        """Say whose words follow, where others' were printed in between."""
        key, agent = _spot(event)
        # What is told of no agent is the same one's as before.
        if (key, agent or self._spot[1]) != self._spot:
            self._head(event, self._labels.of(event))

    def _head(self, event: Frame, label: str, kind: str = "") -> None:
        self._spot = _spot(event)
        around = self._labels.around(event)
        who = self._spot[1] if not kind else label
        what = " · ".join(filter(None, (kind or label, around)))
        self._say(f"\n[bold]{escape(who)}[/bold] [dim]{escape(what)}[/dim]")

    def _on_started(self, data: dict[str, Any]) -> None:
        attempt = data.get("attempt", 1)
        self._labels.start_over()
        if attempt == 1:
            # A flow has none that are known before they begin.
            tasks = f"{len(data['tasks'])} tasks · " if data["tasks"] else ""
            self._say(f"[dim]{tasks}model {escape(data['model'])}[/dim]")
            if (forked := data.get("forked")) is not None:
                kept = ", ".join(data["kept"]) or "nothing"
                line = f"begins at {forked['task']} of run {forked['run']}; kept: {kept}"
                self._say(f"[dim]{escape(line)}[/dim]")
            return
        # What was open is asked again, under another id (P29).
        self._question = None
        self._line.end()
        kept = ", ".join(data.get("kept") or ()) or "nothing"
        self._say(f"\n[yellow]carried on, attempt {attempt}; kept: {escape(kept)}[/yellow]")

    def _ask(self, question: Frame) -> None:
        self._question = question
        self._line.end()
        # A task's words have just been written; what a flow's method made was not seen so far.
        if question.get("method") and question.get("output"):
            self._say(f"\n{escape(question['output'])}")
        self._say(f"\n[yellow]? {escape(question['prompt'])}[/yellow]")
        for number, option in enumerate(question.get("options") or (), 1):
            self._say(f"[yellow]  {number} {escape(option)}[/yellow]")
        until = question.get("expires")
        limit = f"; open until {time.strftime('%X', time.localtime(until / 1000))}" if until else ""
        self._say(f"[dim]{self._how_to_answer(question)}{limit}[/dim]")
        self._line.begin()

    def _how_to_answer(self, question: Frame) -> str:
        options = question.get("options")
        if has_keys():
            if options:
                return "a number, or your own words, and Enter"
            accepts = "Enter accepts; anything else is feedback"
            return accepts if question.get("output") else "your answer, and Enter"
        # A crew may ask of its own accord, and then waits for whoever answers.
        said = {"id": "a-1", "cmd": "answer", "run": self._run, "input": question["input"]}
        text = options[0] if options else ""
        return escape(
            "there is no terminal to answer from; another program can, with a POST of "
            f"{json.dumps(said | {'text': text})} to {self._crew.url}/control"
        )

    def _stream(self, call: str, text: str) -> None:
        self._line.covered()
        text = _CONTROL.sub("", text)
        if call != self._call:
            self._new_line()
            self._call = call
        self._console.out(text, end="", highlight=False)
        self._at_line_start = text.endswith("\n")

    def _say(self, markup: str) -> None:
        self._line.covered()
        self._new_line()
        self._console.print(_CONTROL.sub("", markup))

    def _new_line(self) -> None:
        if not self._at_line_start:
            self._console.out("")
            self._at_line_start = True

    def _on_keys(self, typed: str) -> None:
        for key in typed:
            if self._question is not None:
                self._on_answer_key(self._question, key)
            elif self._line.open:
                self._on_word_key(key)
            elif key == "p":
                self._do(self._crew.pause(self._run))
            elif key == "r":
                self._do(self._crew.resume(self._run))
            elif key == "c":
                self._cancel()
            elif key in "\r\n " or key.isprintable():
                self._new_line()
                self._line.begin(_PROMPT)
                if key.isprintable() and key != " ":
                    self._line.press(key)

    def _on_word_key(self, key: str) -> None:
        """Of a line that is for the crew."""
        if key in "\r\n":
            text = self._line.end().strip()
            self._out_of_line()
            if text:
                self._do(self._crew.modify(self._run, instruction=text))
        elif key == "\x1b":
            self._line.end()
            self._out_of_line()
        else:
            self._line.press(key)

    def _on_answer_key(self, question: Frame, key: str) -> None:
        if key in "\r\n":
            text = _chosen(self._line.end(), question.get("options") or ())
            self._question = None
            self._out_of_line()
            self._do(self._crew.answer(self._run, question["input"], text))
        else:
            self._line.press(key)

    def _out_of_line(self) -> None:
        self._console.out("")
        self._at_line_start = True

    def _write(self, text: str) -> None:
        # Past rich, which takes a backspace out.
        self._console.file.write(text)
        self._console.file.flush()

    def _cancel(self) -> None:
        """The second time somebody really wants to leave."""
        if self._cancelling:
            raise KeyboardInterrupt
        self._cancelling = True
        self._do(self._crew.cancel(self._run, "from the terminal"))

    def _do(self, command: Awaitable[Any]) -> None:
        async def ask() -> None:
            try:
                await command
            except (CommandError, Disconnected) as error:
                self._say(f"[dim]{escape(str(error))}[/dim]")

        self._commands.spawn(ask())


_NOTES: Final = {
    "run.pausing": "pausing…",
    "run.paused": "paused; r resumes",
    "run.resumed": "resumed",
    "run.cancelling": "cancelling…",
}
_ANSWERS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "input.answered": lambda data: f"answer: {escape(data['text'])}" if data["text"] else "ok",
    "input.expired": lambda data: "nobody answered in time; going on",
}


_BEGINNINGS: Final = {
    "task.started": "",
    "crew.started": "crew",
    "flow.started": "flow",
    "method.started": "method",
}
"""What of a name is said to begin; a task is headed by its agent instead."""
_FAILURES: Final = ("crew.failed", "method.failed")
"""A task's and a flow's are said by what they end: a crew, a run."""
_ASIDES: Final = ("guardrail", "memory", "knowledge", "mcp", "reasoning", "skill", "a2a")

_TELLING: Final = ("query", "tool", "skill", "text", "plan", "value", "prompt", "content", "server")
"""What of an aside's data says most, in this order."""


def _chosen(typed: str, options: Sequence[str]) -> str:
    """The option of that number; what was typed where there is none, or where it is one itself."""
    number = typed.strip()
    if typed in options or not number.isdecimal() or not 1 <= int(number) <= len(options):
        return typed
    return options[int(number) - 1]


def _spot(event: Frame) -> tuple[str | None, str]:
    return event.get("tid") or event.get("task"), (event.get("agent") or "").strip()


def _aside(type: str, data: dict[str, Any]) -> str:
    """A line on what happened on the way; "" where there is nothing to say as yet."""
    word, verb = type.split(".")
    error = escape(str(data.get("error") or ""))
    if word == "guardrail":
        if verb == "started":
            return ""
        if verb == "failed" or data.get("success") is False:
            return f"[yellow]guardrail sent it back: {error}[/yellow]"
        return "[dim]guardrail passed[/dim]"
    if verb == "failed":
        return f"[red]{word} failed: {error}[/red]"
    operation = data.get("operation", "")
    gist = next((data[name] for name in _TELLING if isinstance(data.get(name), str)), "")
    line = " ".join(filter(None, ("·", word, operation, _cut(gist))))
    return f"[dim]{escape(line)}[/dim]" if gist else ""


def _change(data: dict[str, Any]) -> str:
    if "instruction" in data:
        return f"to the crew: {data['instruction']}"
    if "description" in data:
        return f"{data['task']} is to be: {data['description']}"
    return f"other inputs: {', '.join(data['inputs'])}"


def _retrying(data: dict[str, Any]) -> str:
    status = f" ({data['status']})" if data["status"] else ""
    soon = "soon" if data["wait"] is None else f"in {data['wait']:.3g} s"
    return f"the model: {escape(data['reason'])}{status}; trying again {soon}"


def _short(data: dict[str, Any]) -> str:
    return _cut(str(data.get("args") or ""))


def _cut(text: str, limit: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _ending(type: str, data: dict[str, Any]) -> str:
    usage = data["usage"]
    tokens = usage["prompt_tokens"] + usage["completion_tokens"]
    calls = f"{usage['calls']} model call{'' if usage['calls'] == 1 else 's'}"
    figures = f"{data['seconds']:.1f} s · {calls} · {tokens:,} tokens"
    if late := len(data.get("unapplied") or ()):
        figures += f" · {late} change{'' if late == 1 else 's'} came too late"
    if type == "run.completed":
        return f"\n[green]done[/green] [dim]{figures}[/dim]"
    if type == "run.failed":
        return f"\n[red]failed: {escape(data['error']['message'])}[/red] [dim]{figures}[/dim]"
    return f"\n[yellow]{type.removeprefix('run.')}[/yellow] [dim]{figures}[/dim]"


async def _interrupted() -> None:
    """Until somebody wants to leave."""
    loop = asyncio.get_running_loop()
    left = asyncio.Event()
    for name in _CANCELLING:
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows
            loop.add_signal_handler(getattr(signal, name), left.set)
    await left.wait()
