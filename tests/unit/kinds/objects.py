"""Small valid objects that the tests of kinds start from."""

from collections.abc import Sequence
from typing import Any

from wherry.kinds.kind import Kind
from wherry.kinds.meta import validate_meta
from wherry.objects import Obj


def obj(kind: Kind, **parts: Any) -> Obj:
    meta: Obj = {"name": "web", **({"namespace": "shop"} if kind.namespaced else {})}
    meta |= parts.pop("metadata", {})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **parts}


def pod_spec(**more: Any) -> Obj:
    return {"containers": [{"name": "app", "image": "shop/web:1"}], **more}


def container_spec(**more: Any) -> Obj:
    return {"containers": [{"name": "app", "image": "shop/web:1", **more}]}


def workload_spec(**more: Any) -> Obj:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()}
    return {"selector": {"matchLabels": {"app": "web"}}, "template": template, **more}


def created(kind: Kind, found: Obj) -> Obj:
    """As it stands before it is validated."""
    kind.default(found)
    kind.prepare(found)
    return found


def errors(kind: Kind, found: Obj) -> Sequence[str]:
    """What is wrong with an object, after its defaults."""
    made = created(kind, found)
    return [str(error) for error in (*validate_meta(kind, made), *kind.validate(made))]


def update_errors(kind: Kind, new: Obj, old: Obj) -> Sequence[str]:
    kind.default(new)
    kind.default(old)
    return [str(error) for error in kind.validate_update(new, old)]
