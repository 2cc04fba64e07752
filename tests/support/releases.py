"""Another release of CrewAI, as far as what is said before it is imported."""

from __future__ import annotations

from pathlib import Path

__all__ = ["another_crewai"]

_SITE = """
import sys

sys.path.insert(0, {folder!r})
"""
_UNWANTED = """
class Unwanted:
    def find_spec(self, name, path=None, target=None):
        if name == "crewai":
            sys.exit("crewai was imported")

sys.meta_path.insert(0, Unwanted())
"""


def another_crewai(folder: Path, version: str, *, imported: bool = False) -> Path:
    """A folder for PYTHONPATH, with which CrewAI is installed as `version`; to import it ends the
    program, unless it may be `imported`, which is the one that there is."""
    described = folder / "installed" / f"crewai-{version}.dist-info" / "METADATA"
    described.parent.mkdir(parents=True)
    described.write_text(f"Metadata-Version: 2.1\nName: crewai\nVersion: {version}\n")
    site = _SITE.format(folder=str(folder / "installed"))
    (folder / "sitecustomize.py").write_text(site + ("" if imported else _UNWANTED))
    return folder
