"""A folder as `make page` leaves one, with next to nothing in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["build_page"]

_INDEX = (
    '<!doctype html><script src="/_next/static/chunks/a1b2.js"></script>'
    "<script>self.x=[1]</script><title>Crew</title>" + "<p>words</p>" * 50
)


def build_page(folder: Path) -> Path:
    for name, text in {
        "index.html": _INDEX,
        "index.txt": "0:{}",
        "icon.svg": "<svg/>",
        "runs/index.html": "<!doctype html><title>Runs</title>",
        "runs/__next._tree.txt": "0:{}",
        "run/index.html": "<!doctype html><title>Run</title>",
        "_next/static/chunks/a1b2.js": "later();" * 200,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
