"""`python -P …/sidecar/worker/__main__.py PROGRAM …`: how the gateway starts a worker process.

By path and not by `-m`, so that this very package is the one that runs: neither the working folder
(`-P`) nor PYTHONPATH can put another `sidecar` in its place, whatever a user's project has there.
PROGRAM is one of `zygote`, `main`, `synthetic` and `doctor`; each says in its module what it takes.
"""

import os
import sys
from itertools import takewhile
from pathlib import Path


def _come_last(folders: set[str]) -> None:
    """PYTHONPATH may add to what is installed here, and shadow nothing of it."""
    theirs = list(takewhile(lambda entry: os.path.abspath(entry) in folders, sys.path))
    sys.path[:] = sys.path[len(theirs) :] + theirs


def _main(arguments: list[str]) -> int:
    python_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    _come_last({os.path.abspath(entry) for entry in python_path if entry})
    home = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, home)
    import sidecar.worker  # from now on found by its own path, and `home` needs no place

    sys.path.remove(home)
    program = arguments[0] if arguments else ""
    if program == "zygote":
        from sidecar.worker.zygote import main

        return main(arguments[1:])
    if program == "main":
        from sidecar.worker.main import spawned

        spawned(arguments[1:])
    if program == "synthetic":
        from sidecar.worker.synthetic import spawned

        spawned(arguments[1:])
    if program == "doctor":
        from sidecar.worker.doctor import main as doctor

        doctor()
    print(f"usage: {sidecar.worker.__name__} zygote | main | synthetic | doctor …", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
