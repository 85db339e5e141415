"""Kubernetes' protobuf against what Go's own encoder wrote, beside the JSON that it wrote of the same objects."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest

from wherry.apiserver.http.body import parse
from wherry.apiserver.http.protobuf import CONTENT_TYPE, Malformed, decode
from wherry.objects.errors import BadRequest

BODIES: dict[str, Any] = orjson.loads((Path(__file__).parents[3] / "golden/protobuf/bodies.json").read_bytes())
NAMESPACE = base64.b64decode(BODIES["namespace"]["wire"])


def without_nothing(value: Any) -> Any:
    """JSON says `null` and "" where protobuf says nothing: both mean the same to the server."""
    if isinstance(value, dict):
        cleaned = {key: without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item is not None}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(BODIES))
def test_protobuf_says_what_json_says(name: str) -> None:
    body = BODIES[name]
    assert without_nothing(decode(base64.b64decode(body["wire"]))) == without_nothing(body["json"])


def test_a_request_body_may_be_protobuf() -> None:
    assert parse(NAMESPACE, CONTENT_TYPE)["metadata"]["name"] == "space"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{}", "it does not begin as Kubernetes' protobuf does"),
        (b"k8s\0", "  is not known in protobuf here"),
        (b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secrex", "v1 Secrex is not known in protobuf here: send it as JSON"),
        (b"k8s\0\x0a\xff", "it ends within a number"),
        (b"k8s\0\x0a\x7f", "it ends within a field"),
        (b"k8s\0" + b"\xff" * 11, "a number of more than 64 bits"),
        (b"k8s\0\x0b", "wire type 3 is not used by Kubernetes"),
        (b"k8s\0\x08\x01\x0a\x01", "it ends within a field"),
        (NAMESPACE.replace(b"space", b"\xff\xfe\xfd\xfc\xfb"), "a text that is not UTF-8"),
    ],
)
def test_what_is_no_protobuf_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(Malformed) as refused:
        decode(raw)
    assert message in str(refused.value)
    with pytest.raises(BadRequest, match="the body of the request cannot be read"):
        parse(raw, CONTENT_TYPE)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_body_cut_anywhere_is_read_or_refused(name: str) -> None:
    whole = base64.b64decode(BODIES[name]["wire"])
    for end in range(len(whole)):
        try:
            found = decode(whole[:end])
        except Malformed:
            continue
        assert found["kind"] == BODIES[name]["json"]["kind"]
