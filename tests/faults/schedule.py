"""Everything that is going to happen in one schedule, from one integer. Pure.

Moments are places in the run's log, as the first of its readers sees them, so that a slow machine
only makes a schedule take longer. A fault that nobody can see an end of lasts for some seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, Literal

from tests.faults.proxy import BLACKHOLE, STALL, End, Kind, Way

__all__ = [
    "END",
    "Act",
    "Freeze",
    "Harm",
    "Kill",
    "Schedule",
    "Send",
    "Target",
    "Window",
    "killing",
    "killing_a_crew",
    "killings",
    "network",
]

Target = Literal["gateway", "worker"]

END: Final = 1 << 30
"""The moment at which the final event is seen."""

_NETWORK_CLIENTS: Final = 20
_KILL_CLIENTS: Final = 8
_HARMED: Final = 12
"""Connections per reader that may come to harm; those after that pass, so that all arrive."""


@dataclass(frozen=True)
class Window:
    """Something is wrong with all connections of a kind (None = of both) for a while."""

    at: int
    fault: Literal["blackhole", "stall", "refuse", "cut"]
    kind: Kind | None
    seconds: float


@dataclass(frozen=True)
class Send:
    """A command, repeated under its id until it is answered."""

    at: int
    cmd: str
    fields: dict[str, Any] = field(default_factory=dict)
    wait: float = 0.0
    """Seconds between the moment and the command."""
    kill_after: float | None = None
    """The gateway is killed so many seconds after the command has left, answered or not."""


@dataclass(frozen=True)
class Kill:
    """kill -9. A gateway is started again, and with `startup` killed once more that many seconds
    into its start."""

    at: int
    target: Target
    startup: float | None = None


@dataclass(frozen=True)
class Freeze:
    """SIGSTOP, and SIGCONT after so many seconds."""

    at: int
    target: Target
    seconds: float


Act = Send | Kill | Freeze


@dataclass(frozen=True)
class Harm:
    """What happens to one connection from its beginning."""

    kind: str
    up: Way
    down: Way


@dataclass(frozen=True)
class Schedule:
    """`acts` and `windows` are each done in their order, beside each other."""

    name: str
    seed: int
    crew: str
    inputs: dict[str, Any]
    clients: int
    acts: tuple[Act, ...] = ()
    windows: tuple[Window, ...] = ()
    harmed: float = 0.0
    """Share of connections that come to harm."""
    retries: int = 0
    """SIDECAR_RETRIES."""

    @property
    def kill_points(self) -> int:
        kills = sum(isinstance(act, (Kill, Freeze)) for act in self.acts)
        return kills + sum(isinstance(a, Send) and a.kill_after is not None for a in self.acts)

    def dice(self, *who: object) -> random.Random:
        """Dice of one's own: what one rolls does not depend on how often the others do."""
        return random.Random("/".join(map(str, (self.name, self.seed, *who))))

    def harm(self, number: int) -> Harm | None:
        """What happens to the proxy's connection of that number, counted from 1."""
        dice = self.dice("connection", number)
        if number > self.clients * _HARMED or dice.random() >= self.harmed:
            return None
        return _harm(dice)


def network(seed: int, crew: str = "synthetic") -> Schedule:
    """Network faults and commands; nobody is killed."""
    dice = random.Random(f"network/{seed}")
    inputs = _inputs(dice) if crew == "synthetic" else {"message": f"tea {seed}"}
    return Schedule(
        name="network" if crew == "synthetic" else "network-crew",
        seed=seed,
        crew=crew,
        inputs=inputs,
        clients=_NETWORK_CLIENTS,
        acts=tuple(_commands(dice)),
        windows=tuple(_windows(dice)),
        harmed=dice.uniform(0.2, 0.7),
    )


def killing(seed: int) -> Schedule:
    """The gateway or the worker dies or stands still, at moments that hurt; the network too."""
    dice = random.Random(f"killing/{seed}")
    retries = dice.randint(0, 1)
    return Schedule(
        name="killing",
        seed=seed,
        crew="synthetic",
        inputs=_inputs(dice),
        clients=_KILL_CLIENTS,
        acts=tuple(_kills(dice, dice.randint(2, 4), retries)),
        harmed=dice.choice([0.0, 0.0, 0.3]),
        retries=retries,
    )


def killing_a_crew(seed: int) -> Schedule:
    """The gateway of a crew of three tasks, whose finished ones must not be done again."""
    dice = random.Random(f"killing-crew/{seed}")
    moments = accumulate([dice.randint(5, 60) for _ in range(3)])
    acts = [Kill(at, "gateway") for at in moments]
    return Schedule("killing-crew", seed, "default", {"message": f"tea {seed}"}, 4, tuple(acts))


def killings(seed: int, points: int, make: Callable[[int], Schedule] = killing) -> list[Schedule]:
    """As many schedules as it takes for so many kill points, of seeds from `seed` on."""
    schedules: list[Schedule] = []
    while sum(schedule.kill_points for schedule in schedules) < points:
        schedules.append(make(seed + len(schedules)))
    return schedules


def _inputs(dice: random.Random) -> dict[str, Any]:
    burst = dice.choice([1, 1, 2, 5, 16])
    return {"events": 150, "rate": 300, "size": 300, "burst": burst, "delay": 0.05}


def _commands(dice: random.Random) -> list[Send]:
    sends: list[Send] = []
    at = 0
    for _ in range(dice.randint(0, 3)):
        at += dice.randint(3, 50)
        if dice.random() < 0.5:
            sends += _pause(dice, at)
        else:
            sends.append(Send(at, "modify", {"instruction": f"shorter, please: {at}"}))
    if dice.random() < 0.2:
        sends.append(Send(at + dice.randint(0, 50), "cancel", {"reason": "enough"}))
    if dice.random() < 0.2:
        sends.append(Send(END, "pause"))
    return sends


def _pause(dice: random.Random, at: int) -> list[Send]:
    return [Send(at, "pause"), Send(0, "resume", wait=dice.choice([0.0, dice.uniform(0, 0.15)]))]


def _windows(dice: random.Random) -> list[Window]:
    windows = []
    at = 0
    for _ in range(dice.randint(0, 2)):
        at += dice.randint(5, 80)
        fault = dice.choice(["blackhole", "stall", "refuse", "cut", "cut"])
        kind = dice.choice(["ws", "http", None])
        windows.append(Window(at, fault, kind, dice.uniform(0.05, 0.6)))  # type: ignore[arg-type]
    return windows


def _kills(dice: random.Random, points: int, retries: int) -> list[Act]:
    """What ends the run comes last: a dead run has nothing left to lose."""
    acts: list[Act] = []
    if dice.random() < 0.15:
        acts.append(Kill(0, "gateway"))  # right after the ack of `start`
    at = 0
    for _ in range(points):
        at += dice.randint(2, 120)
        nasty = dice.random()
        if nasty < 0.35:
            acts.append(Kill(at, "gateway"))
        elif nasty < 0.45:
            acts.append(Kill(at, "gateway", startup=dice.uniform(0.0, 0.6)))
        elif nasty < 0.60:
            acts.append(_killed_send(dice, at))
        elif nasty < 0.70:
            acts += [Send(at, "pause"), Kill(0, "gateway"), Send(0, "resume")]
        elif nasty < 0.75:
            return [*acts, Send(at, "cancel"), Kill(0, "gateway")]
        elif nasty < 0.80:
            return [*acts, Kill(END, "gateway")]
        elif nasty < 0.88:
            acts.append(Kill(at, "worker"))
            if retries == 0:
                return acts
            retries -= 1
        elif nasty < 0.94:
            acts.append(Freeze(at, "worker", dice.uniform(0.05, 0.5)))
        else:
            acts.append(Freeze(at, "gateway", dice.uniform(0.05, 2.0)))
    return acts


def _killed_send(dice: random.Random, at: int) -> Send:
    cmd = dice.choice(["modify", "modify", "cancel"])
    fields = {"instruction": f"say {at}"} if cmd == "modify" else {}
    return Send(at, cmd, fields, kill_after=dice.choice([0.0, dice.uniform(0.0, 0.01)]))


def _harm(dice: random.Random) -> Harm:
    end: End = dice.choice(["rst", "fin", "half"])
    kind = dice.choice(
        ["delay", "split", "throttle", "cut", "cut", "cut", "cut early", "cut up", "hold"]
    )
    up, down = Way(), Way()
    if kind == "delay":
        up, down = Way(delay=dice.uniform(0, 0.03)), Way(delay=dice.uniform(0, 0.05))
    elif kind == "split":
        up, down = Way(split=dice.randint(1, 50)), Way(split=dice.randint(20, 400))
    elif kind == "throttle":
        down = Way(rate=dice.uniform(30_000, 150_000))
    elif kind == "cut":
        down = Way(cut=dice.randint(500, 30_000), end=end, split=dice.choice([0, 0, 700]))
    elif kind == "cut early":  # in the head, the handshake, the hello or an ack
        down = Way(cut=dice.randint(0, 500), end=end)
    elif kind == "cut up":  # in the request or the command
        up = Way(cut=dice.randint(0, 700), end=end)
    elif kind == "hold":
        up, down = dice.choice([(BLACKHOLE, Way()), (Way(), BLACKHOLE), (Way(), STALL)])
    return Harm(f"{kind} {end}" if "cut" in kind else kind, up, down)
