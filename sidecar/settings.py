"""Settings: the environment and the command line, read once, checked, immutable. Pure.

Each setting stands once, as a field of `Settings`: its name, type, default, bounds and sentence.
Variables, flags, checks, `--help` and the README's table come from there.
"""

# ruff: noqa: RUF009
# The helpers below return dataclass fields, which are no defaults shared by instances.
from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from sidecar.errors import SettingsError

__all__ = ["SETTINGS", "SYNTHETIC", "ResumePolicy", "Setting", "Settings", "WorkerKind", "markdown"]

WorkerKind = Literal["fork", "spawn"]
LogKind = Literal["sqlite", "memory"]
ResumePolicy = Literal["auto", "never"]

SYNTHETIC: Final = "synthetic"
"""Name of the crew that there is with SIDECAR_SYNTHETIC=1, for measuring."""

_WEEK: Final = 7 * 86_400

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Given:
    """What somebody wrote for one setting."""

    variable: str
    text: str
    platform: str

    def refused(self, why: str) -> SettingsError:
        return SettingsError(f"{self.variable}={self.text!r} {why}")


@dataclass(frozen=True, slots=True)
class Setting:
    """What there is to set; most are a row of the table."""

    name: str
    """Of the attribute, and of the flag."""
    says: str
    """What it is for, one sentence in Markdown."""
    takes: str
    """What may be written, in Markdown."""
    default: str
    """As one would write it; empty = unset."""
    flag: bool
    shown: bool
    """In the table; what is not is for tests of the sidecar."""
    parse: Callable[[_Given], Any]
    """Raises SettingsError."""

    @property
    def variable(self) -> str:
        return f"SIDECAR_{self.name.upper()}"


def _setting(
    value: _T,
    says: str,
    *,
    takes: str,
    parse: Callable[[_Given], _T],
    default: str | None = None,
    flag: bool = False,
    shown: bool = True,
) -> _T:
    """A field of `Settings`; `default` where `str(value)` is not what one would write."""
    return field(
        default=value,
        metadata={
            "says": says,
            "takes": takes,
            "default": str(value) if default is None else default,
            "flag": flag,
            "shown": shown,
            "parse": parse,
        },
    )


def _whole(value: int, says: str, low: int, high: int, *, flag: bool = False) -> int:
    def parse(given: _Given) -> int:
        try:
            number = int(given.text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise given.refused(f"must be a whole number from {low} to {high}")
        return number

    return _setting(value, says, takes=f"{low} to {high}", parse=parse, flag=flag)


def _seconds(value: float, says: str, low: float, high: float) -> float:
    def parse(given: _Given) -> float:
        try:
            number = float(given.text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise given.refused(f"must be seconds from {low:g} to {high:g}")
        return number

    takes = f"seconds, {low:g} to {high:g}"
    return _setting(value, says, takes=takes, parse=parse, default=f"{value:g}")


def _one_of(value: _T, says: str, known: tuple[_T, ...], refusal: str) -> _T:
    def parse(given: _Given) -> _T:
        for one in known:
            if one == given.text:
                return one
        raise given.refused(refusal)

    return _setting(value, says, takes=" or ".join(f"`{one}`" for one in known), parse=parse)


def _folder(value: Path, says: str) -> Path:
    return _setting(value, says, takes="path", parse=lambda given: Path(given.text), flag=True)


def _loopback(given: _Given) -> str:
    host = given.text
    try:
        # A zone (`::1%lo`) is no part of an address that a browser or a Host header could have.
        zone = "%" in host
        loopback = host == "localhost" or (ipaddress.ip_address(host).is_loopback and not zone)
    except ValueError:
        loopback = False
    if not loopback:
        raise given.refused(
            "is not a loopback address, and anyone who reaches the sidecar can run your crew: "
            "use 127.0.0.1"
        )
    return host


_DEFINITIONS: Final = (".json", ".jsonc", ".yaml", ".yml")
_CREW_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _own_crews(given: _Given) -> str | None:
    """The text as it is, once `targets_in` could read it."""
    parts = [part.strip() for part in given.text.split(",") if part.strip()]
    names = []
    for part in parts:
        name, named, target = part.rpartition("=")
        module, _, attribute = target.strip().partition(":")
        if not (module and attribute) and not target.endswith(_DEFINITIONS):
            several = ", or several as name=package.module:attribute,…" if "," in given.text else ""
            raise given.refused(f"must look like package.module:attribute{several}")
        if not named and len(parts) > 1:
            raise given.refused(f"has several crews: give {part} a name, as name={part}")
        if named and (_CREW_NAME.fullmatch(name.strip()) is None or name.strip() == SYNTHETIC):
            raise given.refused(f"can't call a crew {name!r}: use letters, digits, '.', '_', '-'")
        names.append(name.strip())
    if len(set(names)) < len(names):
        raise given.refused("has one name for two crews")
    return given.text or None


def _worker_kind(given: _Given) -> WorkerKind:
    linux = given.platform == "linux"
    match given.text:
        case "auto":
            return "fork" if linux else "spawn"
        case "fork" if linux:
            return "fork"
        case "fork":
            raise given.refused(f"needs Linux, this is {given.platform}: use auto or spawn")
        case "spawn":
            return "spawn"
    raise given.refused("is not known: use auto, fork or spawn")


def _yes_or_no(given: _Given) -> bool:
    text = given.text.lower()
    if text not in ("0", "1", "false", "true", "no", "yes"):
        raise given.refused("must be 1 or 0")
    return text in ("1", "true", "yes")


_ORIGIN: Final = re.compile(
    r"https?://(?:\[(?P<v6>[0-9a-f:.]+)\]|[a-z0-9_](?:[a-z0-9._-]*))(?::(?P<port>[0-9]{1,5}))?"
)
"""In lower case; a browser writes names beyond ASCII in punycode (WHATWG HTML, section 7.1.1)."""


def _origins(given: _Given) -> tuple[str, ...]:
    origins = [part.strip() for part in given.text.split(",") if part.strip()]
    for origin in origins:
        match = _ORIGIN.fullmatch(origin.lower())
        if match is None or int(match["port"] or 0) > 65_535 or not _is_v6(match["v6"] or "::"):
            raise SettingsError(
                f"{given.variable} has {origin!r}; an origin is scheme://host[:port] and nothing "
                "more, such as http://localhost:3000 (no path, no wildcard)"
            )
    return tuple(origin.lower() for origin in origins)


def _is_v6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set. Times are in seconds unless a name says otherwise."""

    host: str = _setting(
        "127.0.0.1", "where it listens", takes="loopback address", parse=_loopback, flag=True
    )
    port: int = _whole(8770, "0 takes any free one; the ready line says which", 0, 65535, flag=True)
    data: Path = _folder(
        Path(".sidecar"), "folder of the log and the runs' files; one sidecar at a time"
    )
    config: Path = _folder(
        Path("config"),
        "folder of `agents.yaml` and `tasks.yaml`; `config/NAME/` with both is a crew `NAME`",
    )
    crew: str | None = _setting(
        None,
        "your own Python crew: a `@CrewBase` class, a `Crew`, a `Flow`, an `Agent`, or a function; "
        "several as `name=package.module:attribute,…`; unset, the CrewAI project in the folder, "
        "else `config`",
        takes="`package.module:attribute`",
        default="",
        parse=_own_crews,
        flag=True,
    )
    log: LogKind = _one_of(
        "sqlite",
        "where events are kept; `memory` forgets at exit",
        ("sqlite", "memory"),
        "is not a log: use sqlite (default) or memory",
    )
    origins: tuple[str, ...] = _setting(
        ("http://localhost:3000", "http://127.0.0.1:3000"),
        "pages that are let in, exactly",
        takes="origins, by commas",
        default="http://localhost:3000,http://127.0.0.1:3000",
        parse=_origins,
    )
    workers: WorkerKind = _setting(
        "fork",
        "`fork` from a warm zygote (Linux) or `spawn` warm processes (anywhere)",
        takes="`auto`, `fork` or `spawn`",
        default="auto",
        parse=_worker_kind,
    )
    zygote: Path | None = _setting(
        None,
        "socket of a zygote that several sidecars share; unset, each has its own",
        takes="path",
        default="",
        parse=lambda given: Path(given.text) if given.text else None,
    )
    warm: int = _whole(1, "idle workers kept ready", 0, 16)
    memory_mb: int = _whole(0, "memory limit of a worker (RLIMIT_DATA), MiB; 0 = none", 0, 1 << 24)
    max_runs: int = _whole(
        4,
        "runs that work at once; one that is paused or waits for an answer isn't counted, and "
        "keeps its worker (20 MB forked, 165 MB spawned; at most 50 of them)",
        1,
        1_000,
    )
    queue: int = _whole(100, "runs that wait for their turn", 0, 100_000)
    run_timeout: float = _seconds(900.0, "how long a run may take", 0.1, _WEEK)
    input_timeout: float = _seconds(
        0.0, "how long a question of the crew stays open; 0 = until answered", 0.0, _WEEK
    )
    resume: ResumePolicy = _one_of(
        "auto",
        "what becomes of live runs after the sidecar died: they carry on where their log ends; "
        "`never` ends them as interrupted",
        ("auto", "never"),
        "is not known: use auto (runs carry on after the sidecar died) or never (they are "
        "interrupted)",
    )
    retries: int = _whole(0, "fresh attempts that a run gets when its worker crashed", 0, 10)
    retain: int = _whole(100_000, "events kept per run", 10, 100_000_000)
    keep_runs: int = _whole(
        1_000, "finished runs kept, the oldest go first; 0 = all", 0, 10_000_000
    )
    max_connections: int = _whole(10_000, "open streams", 1, 1_000_000)
    ping: float = _seconds(10.0, "time between two `stream.ping`", 0.05, 3_600)
    synthetic: bool = _setting(
        False,
        "`1`: a crew `synthetic` that needs no CrewAI, for measuring",
        takes="`1` or `0`",
        default="0",
        parse=_yes_or_no,
    )
    echo: bool = _setting(
        False,
        "`1`: a route /echo, which sends back what it gets, for tests of WebSockets",
        takes="`1` or `0`",
        default="0",
        parse=_yes_or_no,
        shown=False,
    )

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        flags: Mapping[str, str | None] | None = None,
        *,
        platform: str = "linux",
    ) -> Settings:
        """Read `SIDECAR_*` from `environ`; `flags`, by the names of settings, win.

        A blank variable counts as unset. Raises SettingsError naming the variable and the fix.
        """
        if environ.get("SIDECAR_TOKEN", "").strip():
            raise SettingsError(
                "SIDECAR_TOKEN is set, and this version asks nobody for one: unset it; only "
                "programs and allowed pages of this machine reach the sidecar anyway"
            )
        values = {}
        for setting in SETTINGS:
            text = (flags or {}).get(setting.name)
            if text is None:
                text = environ.get(setting.variable, "").strip() or setting.default
            values[setting.name] = setting.parse(_Given(setting.variable, text, platform))
        return cls(**values)

    @property
    def url(self) -> str:
        """Where a sidecar with these settings is found, unless its port is any free one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def targets(self) -> dict[str, str]:
        """The user's own Python crews by name; one without is `default`."""
        parts = [part.strip() for part in (self.crew or "").split(",") if part.strip()]
        named = (part.rpartition("=") for part in parts)
        return {name.strip() or "default": target.strip() for name, _, target in named}

    @property
    def crews(self) -> tuple[str, ...]:
        """Names a `start` may use, the first being what one without a name means: those of
        `targets`; else `default`, then the folders of `config` with both files.

        Looked up anew each time, so that a crew added while the sidecar runs is found.
        """
        if self.crew is not None:
            return (*self.targets, *((SYNTHETIC,) if self.synthetic else ()))
        try:
            folders = sorted(e.name for e in self.config.iterdir() if e.is_dir() and _text(e.name))
        except OSError:
            folders = []
        named = (
            name
            for name in folders
            if name not in ("default", SYNTHETIC)
            and (self.config / name / "agents.yaml").is_file()
            and (self.config / name / "tasks.yaml").is_file()
        )
        return ("default", *named, *((SYNTHETIC,) if self.synthetic else ()))


def _text(name: str) -> bool:
    """Whether a file's name is text; one that is not UTF-8 can't be asked for, or told, in JSON."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


SETTINGS: Final = tuple(Setting(name=one.name, **one.metadata) for one in fields(Settings))


def markdown() -> str:
    """The table of settings as the README has it."""
    return "\n".join(_rows())


def _rows() -> Iterator[str]:
    yield "| variable | default | takes | |"
    yield "|---|---|---|---|"
    for one in SETTINGS:
        if not one.shown:
            continue
        names = f"`{one.variable}`" + (f", `--{one.name}`" if one.flag else "")
        default = f"`{one.default}`" if one.default else "–"
        yield f"| {names} | {default} | {one.takes} | {one.says} |"
