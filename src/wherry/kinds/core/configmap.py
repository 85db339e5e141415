"""ConfigMap: settings for pods, as text or bytes."""

import base64
import binascii

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid, too_long

MOST_BYTES = 1024 * 1024


def byte_length(text: str) -> int:
    """How long what a base64 text stands for is."""
    try:
        return len(base64.b64decode(text))
    except (binascii.Error, ValueError):
        return len(text)  # decoding has refused it before


def validate(obj: Obj) -> Errors:
    texts, binaries = obj.get("data") or {}, obj.get("binaryData") or {}
    for key in texts:
        yield from checks.named(f"data[{key}]", key, names.config_key)
        if key in binaries:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binaries:
        yield from checks.named(f"binaryData[{key}]", key, names.config_key)
    total = sum(len(text.encode()) for text in texts.values()) + sum(map(byte_length, binaries.values()))
    if total > MOST_BYTES:
        yield too_long("", MOST_BYTES)


def validate_update(new: Obj, old: Obj) -> Errors:
    yield from checks.frozen(new, old, ("data", "binaryData"))


def _data(obj: Obj) -> Cell:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


CONFIGMAP = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    schema="io.k8s.api.core.v1.ConfigMap",
    short_names=("cm",),
    validate=validate,
    validate_update=validate_update,
    columns=(Column(name="Data", cell=_data, description="How many keys it has."), AGE),
    generation=False,
)
