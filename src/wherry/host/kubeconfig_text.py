"""A kubeconfig's text with one context put in or taken out; all else stays as its owner wrote it, comments too. Pure.

The edit is made in the text, by the places that the parser tells. What it should mean is worked out beside it on plain
data; where the two differ (a style seldom seen, anchors), the data is written out anew and only comments are lost.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

PARTS = ("clusters", "users", "contexts")
MARK = "wherry"  # the extension that tells our contexts from the user's own

Data = dict[str, Any]


class KubeconfigProblem(Exception):
    """The file cannot be changed; it is left as it is."""


@dataclass(frozen=True)
class Entry:
    """One node's context, and all that belongs to it."""

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    state: str  # the engine's directory: which engine the context leads to

    def parts(self) -> dict[str, Data]:
        extension = {"name": MARK, "extension": {"state": self.state}}
        context = {"cluster": self.name, "user": self.name, "extensions": [extension]}
        return {
            "clusters": {"name": self.name, "cluster": dict(self.cluster)},
            "users": {"name": self.name, "user": dict(self.user)},
            "contexts": {"name": self.name, "context": context},
        }


def merged(text: str, entry: Entry) -> str:
    """With the entry in it; the current context is only set where there is none. Raises KubeconfigProblem."""
    data = _parsed(text)
    _own(data, entry.name, entry.state)
    wanted: dict[str, Data | None] = dict(entry.parts())
    current = None if data.get("current-context") else entry.name
    return _changed(text, data, entry.name, wanted, current)


def without(text: str, name: str, state: str) -> str:
    """Without the entry of that engine; the same text where there is none. Raises KubeconfigProblem."""
    data = _parsed(text)
    if _marked(data, name) != state:
        return text
    current = "" if data.get("current-context") == name else None
    return _changed(text, data, name, dict.fromkeys(PARTS), current)


def _parsed(text: str) -> Data:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KubeconfigProblem(f"not YAML: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(data.get(part) or [], list) for part in PARTS):
        raise KubeconfigProblem("not a kubeconfig: clusters, users and contexts should be lists")
    return data


def _own(data: Data, name: str, state: str) -> None:
    """The user's own context of the same name is not ours to overwrite."""
    taken = any(item.get("name") == name for part in PARTS for item in data.get(part) or [])
    if taken and _marked(data, name) != state:
        raise KubeconfigProblem(f"it has a context {name} of another cluster already: give the node another --name")


def _marked(data: Data, name: str) -> str | None:
    """The state directory that our mark on the context names."""
    for item in data.get("contexts") or []:
        if item.get("name") == name:
            for extension in (item.get("context") or {}).get("extensions") or []:
                if extension.get("name") == MARK:
                    return str((extension.get("extension") or {}).get("state"))
    return None


def _changed(text: str, data: Data, name: str, wanted: Mapping[str, Data | None], current: str | None) -> str:
    expected = _expected(data, name, wanted, current)
    if text.lstrip().startswith("{"):
        return json.dumps(expected, indent=2) + "\n"
    try:
        edited = text if text == "" or text.endswith("\n") else text + "\n"
        for key, value in (("apiVersion", "v1"), ("kind", "Config")):
            if key not in data:
                edited = _with_scalar(edited, key, value)
        for part, item in wanted.items():
            edited = _with_item(edited, part, name, item)
        if current is not None:
            edited = _with_scalar(edited, "current-context", current)
        if yaml.safe_load(edited) == expected:
            return edited
    except (yaml.YAMLError, _Unusual):
        pass
    written: str = yaml.safe_dump(expected, sort_keys=False)
    return written


def _expected(data: Data, name: str, wanted: Mapping[str, Data | None], current: str | None) -> Data:
    result = {"apiVersion": "v1", "kind": "Config", **data}
    for part, item in wanted.items():
        items = list(data.get(part) or [])
        at = next((index for index, each in enumerate(items) if each.get("name") == name), len(items))
        items[at : at + 1] = [] if item is None else [item]
        if item is not None or part in data:
            result[part] = items
    if current is not None:
        result["current-context"] = current
    return result


class _Unusual(Exception):
    """A style in which the places do not tell enough."""


def _with_item(text: str, part: str, name: str, item: Data | None) -> str:
    """The list `part` with the item of this name replaced, added, or (None) taken out."""
    value = _value(text, part)
    if value is None:
        return text if item is None else f"{text}{part}:\n{_rendered(item, 0)}"
    if isinstance(value, yaml.ScalarNode) or not value.value:  # null or []
        if item is None:
            return _replaced(text, value, " []")
        return _replaced(text, value, "\n" + _rendered(item, 0).rstrip("\n"))
    if not isinstance(value, yaml.SequenceNode) or value.flow_style:
        raise _Unusual
    column = value.start_mark.column
    starts = [text.rindex("-", 0, each.start_mark.index) for each in value.value]
    names = [_name_of(each) for each in value.value]
    if name not in names:
        end = _end(text, value.value[-1])
        return text if item is None else text[:end] + _rendered(item, column) + text[end:]
    at = names.index(name)
    first, last = text.rindex("\n", 0, starts[at]) + 1 if "\n" in text[: starts[at]] else 0, _end(text, value.value[at])
    if item is None and len(names) == 1:
        return text[: value.start_mark.index].rstrip() + " []\n" + text[last:]
    return text[:first] + ("" if item is None else _rendered(item, column)) + text[last:]


def _end(text: str, node: yaml.Node) -> int:
    """Where the node's last line ends; the parser's own mark is behind the comments that follow."""
    leaf = node
    while isinstance(leaf, yaml.CollectionNode) and not leaf.flow_style and leaf.value:
        last = leaf.value[-1]
        leaf = last[1] if isinstance(last, tuple) else last
    if isinstance(leaf, yaml.ScalarNode) and leaf.style in ("|", ">"):
        return _line_start(text, leaf.end_mark.index)
    return text.index("\n", max(leaf.end_mark.index, 0)) + 1


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _with_scalar(text: str, key: str, value: str) -> str:
    node = _value(text, key)
    shown = json.dumps(value) if value == "" else value
    return f"{text}{key}: {shown}\n" if node is None else _replaced(text, node, f" {shown}")


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    """The value's own text exchanged, from behind the colon."""
    colon = text.rindex(":", 0, node.start_mark.index + 1)
    return text[: colon + 1] + new + text[max(node.end_mark.index, colon + 1) :]


def _value(text: str, key: str) -> yaml.Node | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return None
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise _Unusual
    return next((value for name, value in root.value if name.value == key), None)


def _name_of(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.MappingNode):
        raise _Unusual
    return next((str(value.value) for key, value in node.value if key.value == "name"), None)


def _rendered(item: Data, column: int) -> str:
    text: str = yaml.safe_dump([item], sort_keys=False, width=1 << 30)
    return "".join(" " * column + line for line in text.splitlines(keepends=True))


Edit = Callable[[str], str]
