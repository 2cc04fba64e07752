"""Settings: the environment and the command line, read once, checked, immutable. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from sidecar.errors import SettingsError

__all__ = ["SYNTHETIC", "ResumePolicy", "Settings", "WorkerKind"]

WorkerKind = Literal["fork", "spawn"]
ResumePolicy = Literal["auto", "never"]

SYNTHETIC: Final = "synthetic"
"""Name of the crew that there is with SIDECAR_SYNTHETIC=1, for measuring."""

_DEFAULT_ORIGINS: Final = "http://localhost:3000,http://127.0.0.1:3000"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set. Times are in seconds unless a name says otherwise."""

    host: str = "127.0.0.1"
    port: int = 8770
    """0 = any free port; the ready line says which."""
    data: Path = Path(".sidecar")
    config: Path = Path("config")
    crew: str | None = None
    """`package.module:attribute` of a user's own Python crew."""
    log: str = "sqlite"
    workers: WorkerKind = "fork"
    zygote: Path | None = None
    """Socket of a zygote that several sidecars share; None = each has its own."""
    warm: int = 1
    """Idle workers kept ready."""
    memory_mb: int = 0
    """RLIMIT_DATA of a worker in MiB; 0 = no limit."""
    max_runs: int = 4
    queue: int = 100
    run_timeout: float = 900.0
    input_timeout: float = 0.0
    """How long a question stays open; 0 = until it is answered."""
    resume: ResumePolicy = "auto"
    """What becomes of live runs after the gateway died: they carry on, or are interrupted."""
    retries: int = 0
    """Fresh attempts that a run gets when its worker crashed."""
    synthetic: bool = False
    """Whether there is a crew `synthetic`, which needs no CrewAI and is for measuring."""
    retain: int = 100_000
    """Events kept per run."""
    keep_runs: int = 1_000
    """Finished runs kept; the oldest go first. 0 = all."""
    max_connections: int = 10_000
    ping: float = 10.0
    origins: tuple[str, ...] = tuple(_DEFAULT_ORIGINS.split(","))

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        flags: Mapping[str, str | None] | None = None,
        *,
        platform: str = "linux",
    ) -> Settings:
        """Read `SIDECAR_*` from `environ`; `flags` (host, port, data, config, crew) win.

        A blank variable counts as unset. Raises SettingsError naming the variable and the fix.
        """
        read = _Reader(environ, flags or {})
        settings = cls(
            host=read.text("HOST", "127.0.0.1"),
            port=read.integer("PORT", 8770, 0, 65535),
            data=Path(read.text("DATA", ".sidecar")),
            config=Path(read.text("CONFIG", "config")),
            crew=read.text("CREW", "") or None,
            log=read.text("LOG", "sqlite"),
            workers=_worker_kind(read.text("WORKERS", "auto"), platform),
            zygote=Path(path) if (path := read.text("ZYGOTE", "")) else None,
            warm=read.integer("WARM", 1, 0, 16),
            memory_mb=read.integer("MEMORY_MB", 0, 0, 1 << 24),
            max_runs=read.integer("MAX_RUNS", 4, 1, 1_000),
            queue=read.integer("QUEUE", 100, 0, 100_000),
            run_timeout=read.seconds("RUN_TIMEOUT", 900.0, 0.1, 7 * 86_400),
            input_timeout=read.seconds("INPUT_TIMEOUT", 0.0, 0.0, 7 * 86_400),
            resume=_resume(read.text("RESUME", "auto")),
            retries=read.integer("RETRIES", 0, 0, 10),
            synthetic=read.flag("SYNTHETIC"),
            retain=read.integer("RETAIN", 100_000, 10, 100_000_000),
            keep_runs=read.integer("KEEP_RUNS", 1_000, 0, 10_000_000),
            max_connections=read.integer("MAX_CONNECTIONS", 10_000, 1, 1_000_000),
            ping=read.seconds("PING", 10.0, 0.05, 3_600),
            origins=_origins(read.text("ORIGINS", _DEFAULT_ORIGINS)),
        )
        if settings.log not in ("sqlite", "memory"):
            raise SettingsError(
                f"SIDECAR_LOG={settings.log!r} is not a log: use sqlite (default) or memory"
            )
        if not _is_loopback(settings.host):
            raise SettingsError(
                f"SIDECAR_HOST={settings.host!r} is not a loopback address, and anyone who "
                "reaches the sidecar can run your crew: use 127.0.0.1"
            )
        if read.text("TOKEN", ""):
            raise SettingsError(
                "SIDECAR_TOKEN is set, and this version asks nobody for one: unset it; only "
                "programs and allowed pages of this machine reach the sidecar anyway"
            )
        if settings.crew is not None and ":" not in settings.crew:
            raise SettingsError(
                f"SIDECAR_CREW={settings.crew!r} must look like package.module:attribute"
            )
        return settings

    @property
    def crews(self) -> tuple[str, ...]:
        """Names a `start` may use: `default`, then the folders of `config` with both files.

        Looked up anew each time, so that a crew added while the sidecar runs is found.
        """
        if self.crew is not None:
            return ("default", *((SYNTHETIC,) if self.synthetic else ()))
        try:
            folders = sorted(entry.name for entry in self.config.iterdir() if entry.is_dir())
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


class _Reader:
    def __init__(self, environ: Mapping[str, str], flags: Mapping[str, str | None]) -> None:
        self._environ = environ
        self._flags = flags

    def text(self, name: str, default: str) -> str:
        flag = self._flags.get(name.lower())
        if flag is not None:
            return flag
        return self._environ.get(f"SIDECAR_{name}", "").strip() or default

    def flag(self, name: str) -> bool:
        text = self.text(name, "0").lower()
        if text not in ("0", "1", "false", "true", "no", "yes"):
            raise SettingsError(f"SIDECAR_{name}={text!r} must be 1 or 0")
        return text in ("1", "true", "yes")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise SettingsError(
                f"SIDECAR_{name}={text!r} must be a whole number from {low} to {high}"
            )
        return value

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise SettingsError(f"SIDECAR_{name}={text!r} must be seconds from {low:g} to {high:g}")
        return value


def _worker_kind(text: str, platform: str) -> WorkerKind:
    if text == "auto":
        return "fork" if platform == "linux" else "spawn"
    if text == "fork":
        if platform != "linux":
            raise SettingsError(
                f"SIDECAR_WORKERS='fork' needs Linux, this is {platform}: use auto or spawn"
            )
        return "fork"
    if text == "spawn":
        return "spawn"
    raise SettingsError(f"SIDECAR_WORKERS={text!r} is not known: use auto, fork or spawn")


def _resume(text: str) -> ResumePolicy:
    if text == "auto":
        return "auto"
    if text == "never":
        return "never"
    raise SettingsError(
        f"SIDECAR_RESUME={text!r} is not known: use auto (runs carry on after the sidecar died) "
        "or never (they are interrupted)"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origins(text: str) -> tuple[str, ...]:
    origins = []
    for part in text.split(","):
        origin = part.strip()
        if not origin:
            continue
        pieces = urlsplit(origin)
        if pieces.scheme not in ("http", "https") or f"{pieces.scheme}://{pieces.netloc}" != origin:
            raise SettingsError(
                f"SIDECAR_ORIGINS has {origin!r}; an origin is scheme://host[:port] and nothing "
                "more, such as http://localhost:3000 (no path, no wildcard)"
            )
        origins.append(origin.lower())
    return tuple(origins)
