"""Query parameters of streams: what they ask for, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from multidict import MultiDict

from wherry.apiserver.http.streams.options import exec_options, forwarded_ports, log_options
from wherry.apiserver.ports import ExecOptions, LogOptions
from wherry.objects.errors import ApiError, BadRequest, Invalid

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def query(text: str) -> MultiDict[str]:
    pairs = [pair.partition("=") for pair in text.split("&") if pair]
    return MultiDict([(name, value) for name, _, value in pairs])


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", LogOptions("")),
        ("container=c&follow=true&previous=1&timestamps=yes", LogOptions("c", True, True, True)),
        ("follow=false&previous=0&timestamps=False", LogOptions("")),
        ("follow", LogOptions("", follow=True)),
        ("sinceSeconds=90&limitBytes=10", LogOptions("", since=NOW - timedelta(seconds=90), limit_bytes=10)),
        ("sinceTime=2026-01-02T03:04:05Z&tailLines=0", LogOptions("", since=NOW, tail_lines=0)),
        ("stream=Stderr", LogOptions("", stream="Stderr")),
    ],
)
def test_log_options(text: str, options: LogOptions) -> None:
    assert log_options(query(text), NOW) == options


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("tailLines=-1", Invalid, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", Invalid, "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=0", Invalid, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=1&sinceTime=2026-01-02T03:04:05Z", Invalid, "at most one of `sinceTime` or `sinceSeconds`"),
        ("tailLines=ten", BadRequest, 'tailLines: strconv.ParseInt: parsing "ten": invalid syntax'),
        ("tailLines=" + "9" * 40, BadRequest, "invalid syntax"),
        ("sinceTime=yesterday", BadRequest, 'sinceTime: parsing time "yesterday"'),
        ("stream=Both", Invalid, 'stream: Unsupported value: "Both"'),
        ("stream=Stdout&tailLines=1", Invalid, "`tailLines` and specific `stream` are mutually exclusive"),
    ],
)
def test_log_options_that_are_refused(text: str, error: type[ApiError], message: str) -> None:
    with pytest.raises(error) as refused:
        log_options(query(text), NOW)
    assert message in refused.value.message


def test_exec_options() -> None:
    asked = exec_options(query("command=sh&command=-c&command=ls&stdin=true&stdout=true&tty=true&container=c"))
    assert asked == ExecOptions("c", ("sh", "-c", "ls"), stdin=True, stdout=True, stderr=False, tty=True)


def test_forwarded_ports() -> None:
    assert forwarded_ports(query("ports=80,443&ports=8080")) == [80, 443, 8080]
    for text in ("ports=0", "ports=65536", "ports=http", "ports=-1", "ports=" + ",".join(["1"] * 101)):
        with pytest.raises(BadRequest, match="ports must be numbers from 1 to 65535"):
            forwarded_ports(query(text))
