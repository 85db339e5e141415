"""A document about the API, rendered once: its bytes, media type, ETag. Discovery and OpenAPI are made of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class Document:
    """What a GET answers, ready to send."""

    body: bytes
    content_type: str
    etag: str  # without quotes

    @property
    def headers(self) -> Mapping[str, str]:
        return {
            "Content-Type": self.content_type,
            "ETag": f'"{self.etag}"',
            "Vary": "Accept",
            "Cache-Control": "public",
        }

    def matches(self, if_none_match: str | None) -> bool:
        """Whether the client has these very bytes already: then the answer is 304."""
        known = (tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(","))
        return f'"{self.etag}"' in known


def document(body: bytes, content_type: str) -> Document:
    return Document(body, content_type, hashlib.sha256(body).hexdigest().upper())


def json_document(content: Any, content_type: str = "application/json") -> Document:
    return document(orjson.dumps(content), content_type)
