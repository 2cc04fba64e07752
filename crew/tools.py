"""Tools that agents in `agents.yaml` and `tasks.yaml` may name. Pure: text in, text out.

They need no network and no key. To add one, write a function with a docstring (the model reads
it) and typed arguments, and put it into `TOOLS`.
"""

# No `from __future__ import annotations`: CrewAI builds a tool's schema from real types.

import datetime
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

__all__ = ["TOOLS", "content_calendar", "text_statistics"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END: Final = re.compile(r"[.!?…。！？]+(?:\s|$)|\n{2,}")
_VOWELS: Final = re.compile(r"[aeiouyäöüàáâèéêìíîòóôùúû]+", re.IGNORECASE)
_READING_SPEED: Final = 238
"""Words per minute of silent reading: Brysbaert 2019, a meta-analysis of 190 studies."""

_COMMON: Final = _words(
    "a about after all also an and any are as at be because been but by can could do does for "
    "from had has have he her his how i if in into is it its just more most my no not of on "
    "one or our out over s she so some such t than that the their them then there these they "
    "this to up us very was we were what when which who will with would you your"
)
_POSITIVE: Final = _words(
    "amazing beautiful best better calm clear confident delight easy enjoy excellent excited "
    "fast fresh friendly fun gain good great happy help honest hope improve inspire joy kind "
    "love perfect pleasant proud reliable safe save simple smart strong success support "
    "sustainable trust useful warm welcome win wonderful"
)
_NEGATIVE: Final = _words(
    "afraid angry annoying anxious bad boring broken complex confusing costly crisis danger "
    "decline difficult doubt expensive fail failure fear hard harm hate hurt lose loss "
    "mistake never pain poor problem risk sad slow stress threat tired ugly unfair weak worry "
    "worse worst wrong"
)
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MAX_POSTS: Final = 30


def text_statistics(text: str) -> str:
    """Measure a text: length, reading time, reading level, most frequent words and tone.

    Use it on a brief or a draft before you judge its audience or its wording. The tone is a count
    of plainly positive and negative English words, so read it as a hint.
    """
    words = _WORD.findall(text)
    if not words:
        return "The text has no words."
    sentences = max(1, len(_SENTENCE_END.findall(text.strip() + "\n\n")))
    syllables = sum(max(1, len(_VOWELS.findall(word))) for word in words)
    # Flesch-Kincaid grade (Kincaid et al. 1975).
    grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
    seconds = math.ceil(len(words) * 60 / _READING_SPEED)
    lowered = [word.lower() for word in words]
    frequent = Counter(word for word in lowered if len(word) > 2 and word not in _COMMON)
    positive = sum(word in _POSITIVE for word in lowered)
    negative = sum(word in _NEGATIVE for word in lowered)
    # Ties keep the order of the text, which Counter.most_common does.
    top = ", ".join(f"{word} ({count})" for word, count in frequent.most_common(8)) or "none"
    return "\n".join(
        (
            f"{_count(len(words), 'word')} in {_count(sentences, 'sentence')}",
            f"reading time: {seconds // 60} min {seconds % 60} s",
            f"reading level: grade {max(0.0, grade):.1f} (Flesch-Kincaid)",
            f"frequent words: {top}",
            f"tone: {_tone(positive, negative)} ({positive} positive, {negative} negative words)",
        )
    )


def content_calendar(start: str, posts: int = 6, per_week: int = 3) -> str:
    """Lay out publishing dates: `posts` posts from `start` (YYYY-MM-DD), `per_week` in a week.

    Posts fall on working days, evenly spread. Use it when a plan needs dates.
    """
    try:
        day = datetime.date.fromisoformat(start.strip())
        day + datetime.timedelta(weeks=_MAX_POSTS)  # the calendar ends with the year 9999
    except (ValueError, OverflowError):
        return f"start must be a date like 2026-03-02, not {start!r}."
    if not 1 <= posts <= _MAX_POSTS:
        return f"posts must be from 1 to {_MAX_POSTS}, not {posts}."
    if not 1 <= per_week <= 5:
        return f"per_week must be from 1 to 5 (working days), not {per_week}."
    monday = day - datetime.timedelta(days=day.weekday())
    offsets = [round(index * 5 / per_week) for index in range(per_week)]
    dates: list[datetime.date] = []
    while len(dates) < posts:
        week = (monday + datetime.timedelta(days=offset) for offset in offsets)
        dates += [date for date in week if date >= day]
        monday += datetime.timedelta(days=7)
    return "\n".join(
        f"{number}. {_WEEKDAYS[date.weekday()]} {date.isoformat()}"
        for number, date in enumerate(dates[:posts], 1)
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _tone(positive: int, negative: int) -> str:
    if positive == negative:
        return "neutral" if positive == 0 else "mixed"
    return "positive" if positive > negative else "negative"


TOOLS: Final[dict[str, Callable[..., str]]] = {
    "text_statistics": text_statistics,
    "content_calendar": content_calendar,
}
