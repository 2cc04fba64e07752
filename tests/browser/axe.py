"""What axe finds wrong with a page for people who use a keyboard, a reader or little sight."""

from __future__ import annotations

from typing import Any, Final

from playwright.async_api import Page

from tests.browser.builds import WEB

__all__ = ["findings"]

_AXE: Final = WEB / "node_modules" / "axe-core" / "axe.min.js"

_RUN: Final = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map(({ target, failureSummary }) => [impact, id, target.join(" "), failureSummary]));
}"""


async def findings(page: Page) -> list[str]:
    """Of any weight, WCAG and best practice alike: one line each, with the element it is about."""
    if not await page.evaluate("'axe' in window"):
        # Not by `add_script_tag`, which a page's own policy would refuse.
        await page.evaluate(_AXE.read_text())
    found: list[list[Any]] = await page.evaluate(_RUN)
    return [" · ".join(str(word).replace("\n", " ") for word in one) for one in found]
