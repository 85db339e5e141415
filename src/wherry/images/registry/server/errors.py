"""Refusals in the distribution specification's words."""

from collections.abc import Mapping

import orjson
from aiohttp import web

_STATUS = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DENIED": 403,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 404,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "SIZE_INVALID": 400,
    "TOOMANYREQUESTS": 429,
    "UNAUTHORIZED": 401,
    "UNAVAILABLE": 503,
    "UNSUPPORTED": 405,
}


class Refused(Exception):
    """What the client gets: one of the specification's codes, a sentence, the HTTP status if it is not the usual."""

    def __init__(self, code: str, message: str, *, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or _STATUS[code]
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        body = orjson.dumps({"errors": [{"code": self.code, "message": str(self), "detail": None}]})
        return web.Response(status=self.status, body=body, content_type="application/json", headers=self.headers)
