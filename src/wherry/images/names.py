"""Image names in full, as registries and container runtimes write them: `docker.io/library/python:3.11`."""

import re

from wherry.images.errors import ImageError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def full_name(reference: str) -> str:
    """The name with registry, repository and tag or digest. ImageError if it is none."""
    rest, at, digest = reference.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(reference, f"{digest!r} is no digest; one looks like sha256: and 64 hexadecimal digits")
    rest, tag = _split_tag(rest)
    if reference.endswith(":") or (tag and not _TAG.fullmatch(tag)):
        raise _bad(reference, f"the tag {tag!r} may have letters, digits, `_`, `.` and `-`, 128 at most")
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "docker.io", rest if slash else f"library/{rest}"
    if not _HOST.fullmatch(host):
        raise _bad(reference, f"{host!r} is no registry's address")
    if not _PATH.fullmatch(path):
        raise _bad(reference, "a name has lower-case letters and digits, parted by `.`, `_`, `-` and `/`")
    suffix = f"@{digest}" if digest else f":{tag or 'latest'}"
    return f"{host}/{path}{suffix}"


def repository(reference: str) -> str:
    """The full name without tag and digest."""
    return _split_tag(full_name(reference).partition("@")[0])[0]


def _split_tag(name: str) -> tuple[str, str]:
    head, slash, last = name.rpartition("/")
    path, _, tag = last.partition(":")
    return f"{head}{slash}{path}", tag


def _bad(reference: str, why: str) -> ImageError:
    return ImageError(f"{reference!r} is no image name: {why}")
