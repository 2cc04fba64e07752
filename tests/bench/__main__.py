"""How fast it is, beside its peers, on this machine.

    python -m tests.bench [--quick] [--only SECTION …]

Without --only and --quick the figures also go to docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.bench.figures import Result, as_markdown, show
from tests.bench.machine import describe
from tests.bench.sections import (
    controls,
    crowd,
    example,
    fan_out,
    ingest,
    pace,
    page,
    replay,
    start,
)
from tests.bench.sizes import FULL, QUICK, Sizes
from tests.support.sidecar import ROOT

Section = Callable[[Sizes, Callable[[str], None]], Result]

SECTIONS: Final[dict[str, Section]] = {
    "fan-out": fan_out.measure,
    "pace": pace.measure,
    "crowd": crowd.measure,
    "ingest": ingest.ingest,
    "far": ingest.far,
    "replay": replay.measure,
    "soak": ingest.soak,
    "start": start.measure,
    "page": page.measure,
    "example": example.measure,
    "controls": controls.measure,
}
_PAGE: Final = ROOT / "docs" / "BENCHMARKS.md"
_INTRODUCTION: Final = Path(__file__).parent / "introduction.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: a try-out")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    arguments = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("it reads what the Linux kernel counts of a process")
    machine = describe()
    began = time.monotonic()
    result = Result()
    try:
        for name in arguments.only:
            result.add(SECTIONS[name](QUICK if arguments.quick else FULL, _say))
    except KeyboardInterrupt:
        return 130
    show(result)
    if arguments.only == list(SECTIONS) and not arguments.quick:
        machine["took"] = f"{(time.monotonic() - began) / 60:.0f} minutes"
        _PAGE.write_text(_page(machine, result))
        print(f"written to {_PAGE.relative_to(ROOT)}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _page(machine: dict[str, str], result: Result) -> str:
    where = "\n".join(f"| {name} | {value} |" for name, value in machine.items())
    return (
        f"{_INTRODUCTION.read_text()}\n## Machine\n\n| | |\n| --- | --- |\n{where}\n\n"
        f"{as_markdown(result)}"
    )


if __name__ == "__main__":
    sys.exit(main())
