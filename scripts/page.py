"""`python -m scripts.page [replay]`: the example as files, which the sidecar serves at `/`.

Next exports them; what nobody asks for is left out. Runs on any Python 3 that the sidecar does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["EXAMPLE", "FOLDER", "ROOT", "TEMPLATE", "assemble", "build_replay"]

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / "web-adapter" / "example"
FOLDER: Final = ROOT / "sidecar" / "web" / "page"
TEMPLATE: Final = "replay.html"
_BUILT: Final = ".next-page"

_UNSERVED: Final = ("404.html", "404", "_not-found")
"""What is not there is refused in the words of the API."""


def main(only: str = "") -> int:
    """Exit code 1 when it can't be built, with the reason; `replay` is what runs are exported in,
    without the pages."""
    if only == "replay":
        return build_replay(FOLDER / TEMPLATE)
    began = time.monotonic()
    environ = {**os.environ, "CREW_EXPORT": "1", "NEXT_DIST_DIR": _BUILT}
    built = subprocess.run(
        ["node", "next.mjs", "build"],
        cwd=EXAMPLE, env=environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if built.returncode:
        print(f"{built.stdout}\nThe page could not be built: see above.", file=sys.stderr)
        return 1
    assemble(EXAMPLE / _BUILT, FOLDER)
    if build_replay(FOLDER / TEMPLATE):
        return 1
    size = sum(path.stat().st_size for path in _files(FOLDER))
    print(
        f"The page is in {FOLDER.relative_to(ROOT)}: {size / 1e6:.1f} MB "
        f"in {time.monotonic() - began:.0f} s"
    )
    return 0


def build_replay(out: Path) -> int:
    """The file that runs are exported in; takes a second."""
    command = ["node", "replay/build.mjs", str(out)]
    return subprocess.run(command, cwd=EXAMPLE, stdin=subprocess.DEVNULL, check=False).returncode


def assemble(exported: Path, folder: Path) -> None:
    """What is served of an export, as `folder`, in place of what was there.

    A sidecar that runs has the old files until the folder is whole.
    """
    fresh = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(exported, fresh, ignore=lambda at, _: _UNSERVED if at == str(exported) else ())
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
