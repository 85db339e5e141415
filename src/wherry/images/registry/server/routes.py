"""Which resource of the distribution specification a path means."""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from wherry.images.registry.server.errors import Refused

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_NAME = 200
_PATH = re.compile(r"/v2/(?P<name>.+)/(?:(?P<what>manifests|blobs|referrers)/(?P<reference>[^/]+)|tags/list)")
_UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/?(?P<id>[^/]*)")


class What(Enum):
    BASE = "/v2/"
    CATALOG = "/v2/_catalog"
    TAGS = "tags"
    MANIFEST = "manifests"
    REFERRERS = "referrers"
    BLOB = "blobs"
    UPLOADS = "uploads"
    UPLOAD = "an upload"


@dataclass(frozen=True)
class Route:
    """`reference` is a tag or digest, or the id of an upload."""

    what: What
    name: str = ""
    reference: str = ""


def route(raw_path: str) -> Route:
    """Raises Refused."""
    path = unquote(raw_path)
    if path in ("/v2/", "/v2"):
        return Route(What.BASE)
    if path == What.CATALOG.value:
        return Route(What.CATALOG)
    if match := _UPLOAD.fullmatch(path):
        return Route(What.UPLOAD if match["id"] else What.UPLOADS, repository(match["name"]), match["id"])
    match = _PATH.fullmatch(path)
    if match is None:
        raise Refused(
            "NAME_UNKNOWN", f"there is nothing at {path[:200]}: paths are /v2/REPOSITORY/manifests/TAG and so on"
        )
    name, reference = repository(match["name"]), match["reference"] or ""
    what = What(match["what"] or "tags")
    if what is What.MANIFEST:
        _tag_or_digest(reference)
    elif what in (What.BLOB, What.REFERRERS):
        digest(reference)
    return Route(what, name, reference)


def repository(name: str) -> str:
    if len(name) > _LONGEST_NAME or not NAME.fullmatch(name):
        raise Refused(
            "NAME_INVALID", f"{name[:200]!r} is no repository: lower-case letters and digits, parted by . _ - /"
        )
    return name


def digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise Refused("DIGEST_INVALID", f"{text[:100]!r} is no digest of this store: sha256: and 64 hexadecimal digits")
    return text


def _tag_or_digest(reference: str) -> None:
    if ":" in reference:
        digest(reference)
    elif not TAG.fullmatch(reference):
        raise Refused("MANIFEST_INVALID", f"{reference[:200]!r} is no tag: letters, digits, _ . -, 128 at most")
