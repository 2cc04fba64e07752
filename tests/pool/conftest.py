from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.settings import Settings
from tests.support.clock import clock

__all__ = ["clock"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)
