"""Secret: what pods need and few may read."""

import base64
import json
from collections.abc import Mapping, Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, path
from wherry.kinds.core.configmap import MOST_BYTES, byte_length
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid, required, too_long

_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
_KEYS: Mapping[str, Sequence[str]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""Which keys a Secret of a known type must have."""
_BASIC = ("username", "password")  # one of them
_JSON_TYPES = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")


def default(obj: Obj) -> None:
    """`stringData` is for writing only: it is folded into `data` before anything else looks at it."""
    fill(obj, "type", "Opaque")
    texts = obj.pop("stringData", None)
    for key, text in (texts or {}).items():
        section(obj, "data")[key] = base64.b64encode(text.encode()).decode()


def validate(obj: Obj) -> Errors:
    data = obj.get("data") or {}
    for key in data:
        yield from checks.named(f"data[{key}]", key, names.config_key)
    if sum(byte_length(text) for text in data.values()) > MOST_BYTES:
        yield too_long("data", MOST_BYTES)
    yield from _typed(obj.get("type", ""), obj, data)


def _typed(type_: str, obj: Obj, data: Obj) -> Errors:
    if type_ == "kubernetes.io/service-account-token":
        if not (obj["metadata"].get("annotations") or {}).get(_ACCOUNT_ANNOTATION):
            yield required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]")
    elif type_ == "kubernetes.io/basic-auth" and not any(key in data for key in _BASIC):
        yield from (required(f"data[{key}]") for key in _BASIC)
    for key in _KEYS.get(type_, ()):
        if key not in data or (key == "ssh-privatekey" and not data[key]):
            yield required(f"data[{key}]")
        elif type_ in _JSON_TYPES:
            yield from _json_object(f"data[{key}]", data[key])


def _json_object(path: str, text: str) -> Errors:
    try:
        found = json.loads(base64.b64decode(text))
    except ValueError as error:
        yield invalid(path, "<secret contents redacted>", str(error))
        return
    if not isinstance(found, dict):
        yield invalid(path, "<secret contents redacted>", "must be a JSON object")


def validate_update(new: Obj, old: Obj) -> Errors:
    yield from checks.immutable("type", new.get("type", ""), old.get("type", ""))
    yield from checks.frozen(new, old, ("data",))


def _data(obj: Obj) -> Cell:
    return len(obj.get("data") or ())


SECRET = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    schema="io.k8s.api.core.v1.Secret",
    selectable=("type",),
    default=default,
    validate=validate,
    validate_update=validate_update,
    columns=(
        Column(name="Type", cell=path("type"), description="What the keys mean."),
        Column(name="Data", cell=_data, description="How many keys it has."),
        AGE,
    ),
    generation=False,
)
