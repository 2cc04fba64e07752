"""Every state of every page: as a picture in `artifacts/states`, without anything that axe finds,
and without a part that is out of sight to the side on any width from 320 px on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from sidecar.client.client import CrewClient
from tests.browser.axe import findings
from tests.browser.chat import (
    OVERFLOWS,
    PATIENCE,
    VIEWPORTS,
    Chat,
    Look,
    chromium,
    leads,
    open_context,
    screenshot,
    wear,
)
from tests.browser.crews import REPORT
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar

BRIEF: Final = "A launch plan for a small coffee roaster in Lisbon"
PLAN: Final = "create_content_plan"
WIDTHS: Final = (320, 390, 768, 1280, 1440)
LOOKS: Final[tuple[Look, ...]] = ("light", "dark", "narrow", "dark-narrow")
