"""Query parameters -> what a stream request asks for. Raises BadRequest and Invalid as kube-apiserver does."""

from datetime import datetime, timedelta

from multidict import MultiMapping

from wherry.apiserver.ports import ExecOptions, LogOptions
from wherry.objects.errors import BadRequest, Cause, Invalid
from wherry.objects.times import parse as parse_time

MOST_PORTS = 100
SOURCES = ("All", "Stdout", "Stderr")


def log_options(query: MultiMapping[str], now: datetime) -> LogOptions:
    """`v1.PodLogOptions`; `now` is what sinceSeconds counts back from."""
    if query.get("sinceSeconds") and query.get("sinceTime"):
        raise _invalid("", "at most one of `sinceTime` or `sinceSeconds` may be specified", "FieldValueForbidden")
    since: datetime | None = None
    seconds = _number(query, "sinceSeconds", least=1)
    if seconds is not None:
        since = now - timedelta(seconds=min(seconds, 10**9))
    elif query.get("sinceTime"):
        since = _time(query["sinceTime"])
    stream = query.get("stream", "") or "All"
    tail = _number(query, "tailLines", least=0)
    if stream not in SOURCES:
        raise _invalid("stream", f'Unsupported value: "{stream}": supported values: "All", "Stderr", "Stdout"')
    if tail is not None and stream != "All":
        raise _invalid("", "`tailLines` and specific `stream` are mutually exclusive for now", "FieldValueForbidden")
    return LogOptions(
        container=query.get("container", ""),
        follow=_flag(query, "follow"),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        since=since,
        tail_lines=tail,
        limit_bytes=_number(query, "limitBytes", least=1),
        stream=stream,
    )


def exec_options(query: MultiMapping[str]) -> ExecOptions:
    """`v1.PodExecOptions` and `v1.PodAttachOptions`."""
    return ExecOptions(
        container=query.get("container", ""),
        command=tuple(query.getall("command", [])),
        stdin=_flag(query, "stdin"),
        stdout=_flag(query, "stdout"),
        stderr=_flag(query, "stderr"),
        tty=_flag(query, "tty"),
    )


def forwarded_ports(query: MultiMapping[str]) -> list[int]:
    """`v1.PodPortForwardOptions`: needed by the old WebSocket form alone; SPDY names them with each stream."""
    texts = [text for value in query.getall("ports", []) for text in value.split(",") if text]
    ports = [int(text) if text.isascii() and text.isdigit() else 0 for text in texts[: MOST_PORTS + 1]]
    if len(ports) > MOST_PORTS or not all(0 < port < 65536 for port in ports):
        raise BadRequest(
            f'ports must be numbers from 1 to 65535, at most {MOST_PORTS} of them: "{",".join(texts)[:80]}"'
        )
    return ports


def _flag(query: MultiMapping[str], name: str) -> bool:
    """A parameter that is there holds, unless it says no."""
    return name in query and query[name].lower() not in ("false", "0")


def _number(query: MultiMapping[str], name: str, *, least: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise BadRequest(f'{name}: strconv.ParseInt: parsing "{text[:40]}": invalid syntax')
    number = int(text)
    if number < least:
        wanted = "greater than 0" if least else "greater than or equal to 0"
        raise _invalid(name, f"Invalid value: {number}: must be {wanted}")
    return number


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise BadRequest(f'sinceTime: parsing time "{text[:40]}": not an RFC 3339 time') from error


def _invalid(field: str, message: str, reason: str = "FieldValueInvalid") -> Invalid:
    prefix = f"{field}: " if field else "Forbidden: "
    cause = Cause(reason, message, field)
    return Invalid(f"PodLogOptions is invalid: {prefix}{message}", causes=(cause,), kind="PodLogOptions")
