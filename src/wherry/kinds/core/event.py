"""Event: what happened to another object. Many, soon old, and never worth a wait for the disk."""

from datetime import datetime

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import path, since
from wherry.kinds.defaults import section
from wherry.kinds.kind import Cell, Column, Durability, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid, required

_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_NAMESPACE_MESSAGE = "does not match event.namespace"


def default(obj: Obj) -> None:
    section(obj, "source")
    obj.setdefault("reportingComponent", "")
    obj.setdefault("reportingInstance", "")


def validate(obj: Obj) -> Errors:
    """An event is where its object is; one that says when it happened says all else, too."""
    where, about = obj["metadata"].get("namespace", ""), (obj.get("involvedObject") or {}).get("namespace", "")
    if obj.get("eventTime"):
        wrong = not about and where not in ("default", "kube-system")
    else:
        wrong = where not in ("", "default") if not about else where != about
    if wrong:
        yield invalid("involvedObject.namespace", about, _NAMESPACE_MESSAGE)
    if obj.get("eventTime"):
        yield from _reported(obj)


def _reported(obj: Obj) -> Errors:
    component = obj.get("reportingComponent") or ""
    if not component:
        yield required("reportingComponent")
    yield from checks.named("reportingComponent", component, names.qualified_name)
    for field, limit in _LIMITS.items():
        text = obj.get(field) or ""
        if not text and field != "message":
            yield required(field)
        if len(text.encode()) > limit:
            yield invalid(field, "", f"can have at most {limit} characters")


def _first_seen(obj: Obj, now: datetime) -> Cell:
    return since(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: Obj, now: datetime) -> Cell:
    if obj.get("series"):
        return since(obj["series"].get("lastObservedTime"), now)
    return since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else _first_seen(obj, now)


def _object(obj: Obj) -> Cell:
    involved = obj.get("involvedObject") or {}
    return "/".join(part for part in (involved.get("kind", "").lower(), involved.get("name", "")) if part)


def _component(obj: Obj) -> str:
    return (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""


def _source(obj: Obj) -> Cell:
    instance = (obj.get("source") or {}).get("host") or obj.get("reportingInstance") or ""
    return f"{_component(obj)}, {instance}" if instance else _component(obj)


def _message(obj: Obj) -> Cell:
    return str(obj.get("message") or "").strip()


def _count(obj: Obj) -> Cell:
    count: int = obj["series"].get("count", 0) if obj.get("series") else obj.get("count") or 1
    return count


EVENT = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    schema="io.k8s.api.core.v1.Event",
    short_names=("ev",),
    selectable=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    selectable_values={"source": _component},
    default=default,
    validate=validate,
    columns=(
        Column(name="Last Seen", cell_at=_last_seen, description="How long ago it happened last."),
        Column(name="Type", cell=path("type"), description="Normal or Warning."),
        Column(name="Reason", cell=path("reason"), description="Why, in one word for machines."),
        Column(name="Object", cell=_object, description="What it happened to."),
        Column(name="Subobject", cell=path("involvedObject.fieldPath"), wide=True),
        Column(name="Source", cell=_source, wide=True, description="Who says so."),
        Column(name="Message", cell=_message, description="What happened, for people."),
        Column(name="First Seen", cell_at=_first_seen, wide=True),
        Column(name="Count", cell=_count, wide=True, description="How often it happened."),
        Column(name="Name", cell=path("metadata.name"), wide=True, format="name"),
    ),
    name_column=False,
    validate_name=names.path_segment,  # clients of old name them after what happened
    create_on_update=True,
    durability=Durability.LAZY,
    generation=False,
)
