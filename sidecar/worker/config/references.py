"""The user's own Python that their files name: `package.module:attribute`."""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Reference"]

_NAME: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_FORM: Final = re.compile(rf"({_NAME}):({_NAME})")


@dataclass(frozen=True)
class Reference:
    """What stands at `attribute` of `module`; `str` is how it was written."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"

    @staticmethod
    def read(text: str) -> Reference | None:
        """None when `text` isn't of the form."""
        found = _FORM.fullmatch(text.strip())
        return Reference(found[1], found[2]) if found else None

    def resolve(self) -> Any:
        """Import it. Raises ValueError, which says what is missing and where was looked."""
        try:
            found: Any = importlib.import_module(self.module)
        except (Exception, SystemExit) as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing and f"{self.module}.".startswith(f"{missing}."):
                raise ValueError(
                    f"there is no module {missing!r} (looked in {os.getcwd()} and the installed "
                    "packages)"
                ) from error
            said = " ".join(str(error).split())
            raise ValueError(
                f"importing {self.module!r} failed: {type(error).__name__}: {said}"
            ) from error
        for name in self.attribute.split("."):
            if not hasattr(found, name):
                raise ValueError(f"{self.module!r} has no {self.attribute!r}")
            found = getattr(found, name)
        return found
