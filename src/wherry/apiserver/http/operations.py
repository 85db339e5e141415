"""The API's operations as values, derived from the kinds: what OpenAPI lists as paths.

Only what clients look up is told: which parameters an operation takes, which kind it is about, what it answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.apiserver.http.discovery import Subresource, subresources
from wherry.kinds.kind import Kind

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
STATUS_DEFINITION = f"{META}.Status"
DELETE_OPTIONS = f"{META}.DeleteOptions"
PATCH = f"{META}.Patch"
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)


@dataclass(frozen=True)
class Parameter:
    """One parameter in a query or, if `path`, in the path."""

    name: str
    description: str
    type: str = "string"
    path: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. `body` and `answer` are definitions' names; "" where there is none, or plain text."""

    method: str
    action: str  # x-kubernetes-action
    id: str
    description: str
    group_version: str  # api_version of the resource
    about: tuple[str, str, str]  # x-kubernetes-group-version-kind
    parameters: Sequence[Parameter] = ()
    body: str = ""
    answer: str = ""

    @property
    def consumes(self) -> Sequence[str]:
        return PATCH_TYPES if self.action == "patch" else ("application/json",)


_NAME = Parameter("name", "name of the object", path=True)
_NAMESPACE = Parameter("namespace", "namespace of the object", path=True)
_PRETTY = Parameter("pretty", "If 'true', the output is indented.")
_WRITE = (
    Parameter("dryRun", "'All' runs every stage of the request and persists nothing."),
    Parameter("fieldManager", "Who makes the change, as recorded in managedFields; required for apply requests."),
    Parameter("fieldValidation", "What to do about unknown or duplicate fields: Ignore, Warn (the default) or Strict."),
)
_FORCE = Parameter("force", "An apply request takes over fields that other managers own.", "boolean")
_LIST = (
    Parameter("allowWatchBookmarks", "Whether a watch may send BOOKMARK events.", "boolean"),
    Parameter("continue", "The token of the list's previous page, for the next one."),
    Parameter("fieldSelector", "Restricts the objects by their fields."),
    Parameter("labelSelector", "Restricts the objects by their labels."),
    Parameter("limit", "How many objects a page has at most.", "integer"),
    Parameter("resourceVersion", "Which version of the data the answer must be at least, or exactly."),
    Parameter("resourceVersionMatch", "How resourceVersion is meant: Exact or NotOlderThan."),
    Parameter("sendInitialEvents", "Whether a watch begins with an ADDED event for each object there is.", "boolean"),
    Parameter("timeoutSeconds", "After how long the call ends.", "integer"),
    Parameter("watch", "Watch for changes in place of listing.", "boolean"),
)
_DELETE = (
    Parameter("dryRun", "'All' runs every stage of the request and persists nothing."),
    Parameter("gracePeriodSeconds", "How long the object may take to end; 0 deletes it at once.", "integer"),
    Parameter("orphanDependents", "Superseded by propagationPolicy.", "boolean"),
    Parameter("propagationPolicy", "What becomes of dependents: Orphan, Background or Foreground."),
)

_WORDS: Mapping[str, str] = {"get": "read", "post": "create", "put": "replace"}
"""Method -> the word that operations' ids begin with."""

_DEFINITIONS: Mapping[str, str] = {
    "Binding": "io.k8s.api.core.v1.Binding",
    "Eviction": "io.k8s.api.policy.v1.Eviction",
    "Scale": "io.k8s.api.autoscaling.v1.Scale",
    "TokenRequest": "io.k8s.api.authentication.v1.TokenRequest",
}
"""Subresources' kinds that are no kinds of the catalog -> their definitions. Others stream, or are the resource's."""


def paths(kind: Kind) -> Iterator[tuple[str, list[Parameter], list[Operation]]]:
    """Each path of a kind: with the parameters that all its operations share."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    scoped = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    shared = [_NAMESPACE, _PRETTY] if kind.namespaced else [_PRETTY]
    yield scoped, shared, list(_collection(kind))
    if kind.namespaced and "list" in kind.verbs:
        yield f"{root}/{kind.plural}", [_PRETTY], [_list(kind, suffix="ForAllNamespaces")]
    item = list(_item(kind))
    if item:
        yield f"{scoped}/{{name}}", [_NAME, *shared], item
    for sub in subresources(kind):
        yield f"{scoped}/{{name}}/{sub.name}", [_NAME, *shared], list(_subresource(kind, sub))


def _collection(kind: Kind) -> Iterator[Operation]:
    if "list" in kind.verbs:
        yield _list(kind)
    if "create" in kind.verbs:
        yield _operation(kind, _Call("post", "post", "create", "create"), _WRITE, body=kind.schema, answer=kind.schema)
    if "deletecollection" in kind.verbs:
        parameters = (*_LIST, *_DELETE)
        call = _Call("delete", "deletecollection", "delete{gv}Collection{scope}{kind}", "delete a collection of")
        yield _operation(kind, call, parameters, body=DELETE_OPTIONS, answer=STATUS_DEFINITION)


def _list(kind: Kind, suffix: str = "") -> Operation:
    scope = "{kind}" + suffix if suffix else "{scope}{kind}"
    call = _Call("get", "list", "list{gv}" + scope, "list or watch")
    return _operation(kind, call, _LIST, answer=f"{kind.schema}List")


def _item(kind: Kind) -> Iterator[Operation]:
    schema = kind.schema
    if "get" in kind.verbs:
        yield _operation(kind, _Call("get", "get", "read", "read"), answer=schema)
    if "update" in kind.verbs:
        yield _operation(kind, _Call("put", "put", "replace", "replace"), _WRITE, body=schema, answer=schema)
    if "patch" in kind.verbs:
        call = _Call("patch", "patch", "patch", "partly update")
        yield _operation(kind, call, (*_WRITE, _FORCE), body=PATCH, answer=schema)
    if "delete" in kind.verbs:
        answer = schema if kind.delete_returns_object else STATUS_DEFINITION
        call = _Call("delete", "delete", "delete", "delete")
        yield _operation(kind, call, _DELETE, body=DELETE_OPTIONS, answer=answer)


def _subresource(kind: Kind, sub: Subresource) -> Iterator[Operation]:
    name = sub.kind.format(kind=kind.kind)
    schema = _DEFINITIONS.get(name, "") if name else kind.schema
    about = (sub.group, sub.version, name) if sub.group else (kind.group, kind.version, name or kind.kind)
    connects = name.endswith("Options")
    for verb in sub.verbs:
        method = {"create": "post", "update": "put"}.get(verb, verb)
        action = "connect" if connects else method
        begin = f"connect{{gv}}{method.capitalize()}" if connects else f"{_WORDS.get(method, method)}{{gv}}"
        call = _Call(method, action, f"{begin}{{scope}}{{kind}}{sub.name.capitalize()}", f"{sub.name} of")
        if connects or sub.name == "log":
            yield _operation(kind, call, about=about)
        elif method == "get":
            yield _operation(kind, call, about=about, answer=schema)
        elif method == "patch":
            yield _operation(kind, call, (*_WRITE, _FORCE), about=about, body=PATCH, answer=schema)
        else:
            yield _operation(kind, call, _WRITE, about=about, body=schema, answer=schema)


@dataclass(frozen=True)
class _Call:
    """What sets one operation on a kind apart. `id` is a template, or the word that such ids begin with."""

    method: str
    action: str
    id: str
    said: str


def _operation(
    kind: Kind,
    call: _Call,
    parameters: Sequence[Parameter] = (),
    *,
    about: tuple[str, str, str] | None = None,
    body: str = "",
    answer: str = "",
) -> Operation:
    template = call.id if "{" in call.id else call.id + "{gv}{scope}{kind}"
    return Operation(
        method=call.method,
        action=call.action,
        id=template.format(gv=_camel(kind), scope="Namespaced" if kind.namespaced else "", kind=kind.kind),
        description=f"{call.said} {kind.kind}",
        group_version=kind.api_version,
        about=about or (kind.group, kind.version, kind.kind),
        parameters=parameters,
        body=body,
        answer=answer,
    )


def _camel(kind: Kind) -> str:
    """Group and version in one word: `RbacAuthorizationV1`, `CoreV1`."""
    group = kind.group.removesuffix(".k8s.io") or "core"
    return "".join(part[:1].upper() + part[1:] for part in (*group.split("."), kind.version))
