"""What an app consists of in a cluster: a ConfigMap there lists it, so that nothing is known only to this machine.

It is written before anything is applied (with the old and the new objects) and again when all is done, so that whoever
is interrupted leaves nothing that `down` would not find.
"""

import json
from collections.abc import Iterable

from wherry.client.client import Client
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.errors import Conflict, NotFound

APP_LABEL = "wherry.io/app"
"""On every object that an `up` made: which app it belongs to."""

INVENTORY_LABEL = "wherry.io/inventory"
MANAGER = "wherry"
_KEY = "objects"


def name_of(app: str) -> str:
    return f"wherry.{app}"


def labelled(obj: Obj, app: str) -> Obj:
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "labels": {**(meta.get("labels") or {}), APP_LABEL: app}}}


def belongs(obj: Obj, app: str) -> bool:
    return (obj["metadata"].get("labels") or {}).get(APP_LABEL) == app


def refs(inventory: Obj | None) -> list[Ref]:
    """The objects listed in an inventory. One that somebody has broken lists none."""
    text = ((inventory or {}).get("data") or {}).get(_KEY, "[]")
    try:
        return [Ref(*map(str, one)) for one in json.loads(text)]
    except (ValueError, TypeError):
        return []


async def read(client: Client, app: str, namespace: str) -> Obj | None:
    try:
        return await client.get("ConfigMap", namespace, name_of(app))
    except NotFound:
        return None


async def write(client: Client, app: str, namespace: str, objects: Iterable[Ref], before: Obj | None) -> Obj:
    """Replace the list. Raises Conflict where another `up` of the same app has written since `before` was read."""
    data = {_KEY: json.dumps(sorted(set(objects)), separators=(",", ":"))}
    if before is not None and before.get("data") == data:
        return before
    meta: Obj = {"name": name_of(app), "namespace": namespace, "labels": {INVENTORY_LABEL: app}}
    new: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    try:
        if before is None:
            return await client.create(new)
        meta["resourceVersion"] = before["metadata"]["resourceVersion"]
        return await client.update(new)
    except Conflict:
        raise Conflict(f"another `wherry up` of {app} is under way in {namespace}: try again when it is done") from None


async def apps(client: Client, namespace: str) -> list[Obj]:
    """The inventories of a namespace ("" for all)."""
    return list((await client.list("ConfigMap", namespace, labels=INVENTORY_LABEL)).items)


def listed(objects: Iterable[Obj]) -> list[Ref]:
    return [ref_of(obj) for obj in objects]
