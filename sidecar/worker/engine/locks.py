"""Where CrewAI's locks lie: with what they guard, as far as that is the run's own.

By itself CrewAI locks a file of the system's temp folder, named by a hash of what it guards, and
never removes one: each run, whose storage is its own, would leave one behind for ever.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import Final

import portalocker
from crewai_core import lock_store

__all__ = ["keep_in"]

_LOCK_SECONDS: Final = 120
"""How long CrewAI itself waits for one."""


def keep_in(storage: Path) -> None:
    """Have the locks of what lies in `storage` lie there too, and go when it does.

    The others stay where all processes of this machine look for them, those without a sidecar
    included; with REDIS_URL, by which CrewAI locks over the network, nothing changes.
    """
    if lock_store._redis_available():
        lock_store.set_lock_backend(None)
        return
    own = {f"{path}" for path in (storage, storage.resolve())}

    @contextmanager
    def lock(name: str, *, timeout: float = _LOCK_SECONDS) -> Iterator[None]:
        file = f"crewai:{md5(name.encode(), usedforsecurity=False).hexdigest()}.lock"
        # Names are `sqlite:/path/of/a.db`, `lancedb:/folder`, `chromadb:/folder`, `file:/path`.
        inside = _is_in(name.partition(":")[2], own)
        folder = storage if inside else Path(tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        with portalocker.Lock(folder / file, timeout=timeout):
            yield

    lock_store.set_lock_backend(lock)


def _is_in(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
