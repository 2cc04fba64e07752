"""`python -m scripts.wheel`: a wheel of the sidecar into `dist/`, with its page if that is built.

From a copy: setuptools leaves folders in what it builds. Needs the network, for setuptools.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from scripts.page import FOLDER, ROOT

__all__ = ["make_wheel"]

_PARTS: Final = ("sidecar", "pyproject.toml", "README.md", "LICENSE")


def main() -> int:
    made = make_wheel(ROOT / "dist")
    has = "with" if (FOLDER / "index.html").is_file() else "without"
    print(f"{made.relative_to(ROOT)} ({has} the page): pip install {made.relative_to(ROOT)}")
    return 0


def make_wheel(target: Path, sidecar: Path = ROOT / "sidecar") -> Path:
    """The wheel, in the folder `target`; of another copy of the package, if that is given."""
    with tempfile.TemporaryDirectory(prefix="crew-sidecar-") as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        source.mkdir()
        for name in _PARTS:
            (source / name).symlink_to(sidecar if name == "sidecar" else ROOT / name)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "wheel", "--no-deps", "-w", out, source], check=True)
        (built,) = out.glob("*.whl")
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(built, target / built.name))


if __name__ == "__main__":
    sys.exit(main())
