from __future__ import annotations

import pytest
from multidict import CIMultiDict

from sidecar.settings import Settings
from sidecar.web.gatekeeper import Gatekeeper

GATE = Gatekeeper.build(
    Settings(origins=("http://localhost:3000", "https://app.example.com")), port=8770
)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8770",
        "localhost:8770",
        "LOCALHOST:8770",
        "localhost",
        "localhost:9000",
        "[::1]:8770",
        "app.example.com",
    ],
)
def test_its_own_names_and_those_of_allowed_pages_are_served(host: str) -> None:
    assert GATE.host_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8770",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8770",
        "127.0.0.1@evil.example",
        "evil.example/localhost",
        "localhost:8770:1",
        "localhost:port",
        "[::1",
        "0.0.0.0:8770",
    ],
)
def test_any_other_name_is_not(host: str | None) -> None:
    assert not GATE.host_allowed(host)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://localhost:3000",
        "http://LOCALHOST:3000",
        "https://app.example.com",
        "http://127.0.0.1:8770",
        "http://[::1]:8770",
    ],
)
def test_programs_allowed_pages_and_its_own_pages_are_let_in(origin: str | None) -> None:
    assert GATE.origin_allowed(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://localhost:3001",
        "https://localhost:3000",
        "http://localhost",
        "http://localhost:3000/",
        "http://localhost:30000",
        "http://127.0.0.1:3000",
        "http://app.example.com",
        "http://evil.example",
        "*",
    ],
)
def test_any_other_page_is_not(origin: str) -> None:
    assert not GATE.origin_allowed(origin)


HOST = ("Host", "127.0.0.1:8770")


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([], "this Host"),
        ([("Host", "evil.example")], "this Host"),
        ([HOST, ("X-Forwarded-Host", "evil.example")], "this Host"),
        ([HOST, ("X-Forwarded-Host", "localhost:3000, evil.example")], "this Host"),
        ([HOST, ("X-Forwarded-Host", "localhost"), ("X-Forwarded-Host", "evil")], "this Host"),
        ([HOST, ("Origin", "http://evil.example")], "pages of this origin"),
        (
            [HOST, ("Origin", "http://localhost:3000"), ("Origin", "http://evil.example")],
            "pages of this origin",
        ),
        (
            [HOST, ("Origin", "http://localhost:3000"), ("Origin", "http://localhost:3000")],
            "pages of this origin",
        ),
        ([HOST, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "image")], "pages of other"),
        ([HOST, ("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Dest", "iframe")], "pages of other"),
        ([HOST, ("Sec-Fetch-Site", "cross-site")], "pages of other"),
    ],
)
def test_a_request_is_refused_for_each_of_its_names_and_for_what_it_is_for(
    headers: list[tuple[str, str]], why: str
) -> None:
    refused = GATE.refuses(CIMultiDict(headers))
    assert refused is not None
    assert refused.startswith(why)


@pytest.mark.parametrize(
    "headers",
    [
        [HOST],
        [HOST, ("Origin", "http://localhost:3000"), ("X-Forwarded-Host", "localhost:3000")],
        [HOST, ("X-Forwarded-Host", "")],
        [HOST, ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Dest", "empty")],
        [HOST, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "document")],
        [
            HOST,
            ("Origin", "http://localhost:3000"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Dest", "empty"),
        ],
    ],
)
def test_what_a_program_a_page_that_is_let_in_or_a_link_asks_passes(
    headers: list[tuple[str, str]],
) -> None:
    assert GATE.refuses(CIMultiDict(headers)) is None
