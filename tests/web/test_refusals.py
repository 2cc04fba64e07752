"""Errors on their way out: a code and a sentence, never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpClient

from sidecar.errors import STATUS, Code, CommandError, StoreError
from sidecar.web.refusals import errors
from tests.support.served import Served

Client = Callable[[Exception], Awaitable["Answer"]]


class Answer:
    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.status = status
        self.headers = headers
        self.text = text


@pytest.fixture
def raising(aiohttp_client: AiohttpClient) -> Client:
    """What a client gets from a handler that raises."""

    async def ask(error: Exception) -> Answer:
        async def handler(_: web.Request) -> web.Response:
            raise error

        app = web.Application(middlewares=[errors])
        app.router.add_get("/", handler)
        client = await aiohttp_client(app)
        async with client.get("/", allow_redirects=False) as response:
            return Answer(response.status, dict(response.headers), await response.text())

    return ask


@pytest.mark.parametrize("code", STATUS)
async def test_each_code_has_its_status_and_a_temporary_one_says_when_to_come_back(
    raising: Client, code: Code
) -> None:
    error = CommandError(code, "that is why")
    answer = await raising(error)
    assert answer.status == STATUS[code] == error.status
    assert answer.headers["Content-Type"] == "application/json"
    temporary = "true" if error.temporary else "false"
    assert answer.text == (
        f'{{"error":{{"code":"{code}","message":"that is why","temporary":{temporary}}}}}'
    )
    assert answer.headers.get("Retry-After") == ("1" if error.temporary else None)


async def test_a_log_that_cannot_be_read_is_unavailable_and_its_path_stays_in_ours(
    raising: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raising(StoreError("/home/me/log.sqlite3: disk I/O error"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "the log can't be read" in answer.text
    assert "/home/me" not in answer.text
    assert caplog.messages == ["/home/me/log.sqlite3: disk I/O error"]


async def test_of_an_internal_error_the_outside_gets_an_id_and_our_log_the_rest(
    raising: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raising(ValueError("the password is tea"))
    assert answer.status == 500
    assert "tea" not in answer.text
    assert "Traceback" not in answer.text
    [record] = caplog.records
    id = record.getMessage().removeprefix("internal error ")
    assert id.startswith("e_")
    assert f"internal error {id};" in answer.text
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the password is tea"


async def test_a_reader_that_has_left_is_no_error(
    raising: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await raising(ConnectionResetError())).status == 499
    assert caplog.records == []


async def test_a_route_or_method_that_there_is_not_is_refused_in_the_same_words(
    raising: Client,
) -> None:
    answer = await raising(web.HTTPNotFound())
    assert (answer.status, "no route '/'; GET / lists them" in answer.text) == (404, True)
    answer = await raising(web.HTTPMethodNotAllowed("GET", ["PUT", "POST"]))
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT")
    assert '"code":"method_not_allowed","message":"/ takes POST, PUT"' in answer.text


async def test_other_answers_of_http_pass(raising: Client) -> None:
    answer = await raising(web.HTTPSeeOther("/elsewhere"))
    assert (answer.status, answer.headers["Location"]) == (303, "/elsewhere")


async def test_what_is_no_http_is_one_line_in_our_log_and_no_error_of_ours(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiohttp.server")
    reader, writer = await served.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nno header\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    [record] = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert (record.levelno, record.exc_info) == (logging.INFO, None)
    assert record.getMessage().startswith("not HTTP: ")
