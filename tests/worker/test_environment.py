"""What a process must have in its environment before it imports crewai."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.worker.environment import secret_values
from tests.worker.harness import PROJECT, clean_environment


def test_dotenv_is_read_before_crewai_and_loses_to_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_MODEL=from-file\nOPENAI_API_KEY=from-file\n")
    script = (
        "import os, pathlib; from sidecar.worker import environment;"
        "environment.prepare(pathlib.Path.cwd());"
        "print(os.environ['OPENAI_MODEL'], os.environ['OPENAI_API_KEY'],"
        " os.environ['OTEL_SDK_DISABLED'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=clean_environment(
            PYTHONPATH=str(PROJECT), OPENAI_API_KEY="from-shell", OTEL_SDK_DISABLED="false"
        ),
        check=True,
    )
    assert done.stdout.split() == ["from-file", "from-shell", "true"]


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "GITHUB_PAT", "AUTH_HEADER", "AUTHORIZATION", "OAUTH_STATE", "PGPASS"),
        *("SENTRY_DSN", "COOKIE", "MY_SESSION", "PRIVATE_PEM", "db_password", "PASSPHRASE"),
    ],
)
def test_a_variable_whose_name_says_so_is_secret(name: str) -> None:
    assert secret_values({name: "0123456789"}) == ("0123456789",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin"),
        ("PYTHONPATH", "/home/me/src"),
        ("COMPATIBILITY", "everything"),
        ("GIT_AUTHOR_NAME", "Jane Doe of Köln"),
        ("DESKTOP_SESSION", "plasmawayland"),
        ("API_KEY", "1234567"),
        ("API_KEY", "your-key-here"),
        ("HOMEPAGE", "https://example.com/a@b"),
        ("BASE_URL", "https://example.com:8080/v1"),
    ],
)
def test_what_is_no_secret_is_none(name: str, value: str) -> None:
    assert secret_values({name: value}) == ()


def test_each_line_of_a_key_is_secret_and_its_edges_are_not() -> None:
    body = ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "AgEAAoIBAQDabcdefghijklm")
    pem = "\n".join(("-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----", ""))
    assert set(secret_values({"TLS_PRIVATE": pem})) == {pem, *body}


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgres://me:p%40ssw0rd1@db/x", {"//me:p%40ssw0rd1@", "p%40ssw0rd1", "p@ssw0rd1"}),
        ("redis://:hunter2-hunter2@cache:6379/0", {"//:hunter2-hunter2@", "hunter2-hunter2"}),
        ("postgres://postgres:postgres@db/x", {"//postgres:postgres@"}),
        ("https://ghp_0123456789@github.com/a.git", {"//ghp_0123456789@", "ghp_0123456789"}),
        (
            "http://u:p@proxy:3128 http://u:longer-pass@b",
            {"//u:p@", "//u:longer-pass@", "longer-pass"},
        ),
        ("mysql://u:has@in-it@db", {"//u:has@in-it@", "has@in-it"}),
    ],
)
def test_what_a_url_has_before_its_at_sign_is_secret_whatever_the_name(
    url: str, secrets: set[str]
) -> None:
    assert set(secret_values({"DATABASE_URL": url})) == secrets
