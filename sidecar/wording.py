"""What a run's events are called in a terminal, in rich's markup: a line each. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rich.markup import escape

__all__ = ["ANSWERS", "NOTES", "aside", "change", "ending", "retrying", "short"]

NOTES: Final = {
    "run.pausing": "pausing…",
    "run.paused": "paused; r resumes",
    "run.resumed": "resumed",
    "run.cancelling": "cancelling…",
}
ANSWERS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "input.answered": lambda data: f"answer: {escape(data['text'])}" if data["text"] else "ok",
    "input.expired": lambda data: "nobody answered in time; going on",
}
_TELLING: Final = ("query", "tool", "skill", "text", "plan", "value", "prompt", "content", "server")
"""What of an aside's data says most, in this order."""


def aside(type: str, data: dict[str, Any]) -> str:
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


def change(data: dict[str, Any]) -> str:
    if "instruction" in data:
        return f"to the crew: {data['instruction']}"
    if "description" in data:
        return f"{data['task']} is to be: {data['description']}"
    return f"other inputs: {', '.join(data['inputs'])}"


def retrying(data: dict[str, Any]) -> str:
    status = f" ({data['status']})" if data["status"] else ""
    soon = "soon" if data["wait"] is None else f"in {data['wait']:.3g} s"
    return f"the model: {escape(data['reason'])}{status}; trying again {soon}"


def short(data: dict[str, Any]) -> str:
    return _cut(str(data.get("args") or ""))


def _cut(text: str, limit: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def ending(type: str, data: dict[str, Any]) -> str:
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
