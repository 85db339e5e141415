"""Sets of field paths, kept as the nested dicts that managedFields carries them in (`FieldsV1`).

A key is one step of a path: `f:name` a field, `k:{"name":"a"}` an item of a list by its keys, `v:"a"` an item of a
set. A step is in the set itself when its node is empty or contains `.`; otherwise only what is below it is. The root
never is.
Sets are values: no function edits its arguments, and results share parts with them.
"""

from collections.abc import Iterator
from typing import Any

import orjson

FieldSet = dict[str, Any]
"""A nested dict as described above; `{}` at the root is the empty set."""

SELF = "."


def is_member(node: FieldSet) -> bool:
    """Whether the step that leads to `node` is itself in the set."""
    return not node or SELF in node


def _node(below: FieldSet, member: bool) -> FieldSet | None:
    """A node from its parts; None where nothing is left. `below` is ours to edit."""
    if not below:
        return {} if member else None
    if member:
        below[SELF] = {}
    return below


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    if not a or not b:
        return a or b
    out = dict(a)
    for step, node in b.items():
        old = out.get(step)
        if old is None:
            out[step] = node
        elif old is not node and step != SELF:
            merged = union(old, node)
            lacks = merged and SELF not in merged and not (old and node)
            out[step] = {**merged, SELF: {}} if lacks else merged
    return out


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in `a` but not in `b`, path by path: taking away a parent leaves its children."""
    out = {}
    for step, node in a.items():
        if step == SELF:
            continue
        other = b.get(step)
        if other is None:
            out[step] = node
            continue
        rest = _node(difference(node, other), is_member(node) and not is_member(other))
        if rest is not None:
            out[step] = rest
    return out


def without(a: FieldSet, b: FieldSet | None) -> FieldSet:
    """What is in `a` but neither in `b` nor below a member of it."""
    if not b:
        return a
    out = {}
    for step, node in a.items():
        other = b.get(step)
        if other is None:
            out[step] = node
        elif not is_member(other):
            rest = _node(_below(without(node, other)), is_member(node))
            if rest is not None:
                out[step] = rest
    return out


def _below(node: FieldSet) -> FieldSet:
    return {step: child for step, child in node.items() if step != SELF}


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    out = {}
    for step, node in a.items():
        other = b.get(step)
        if other is None or step == SELF:
            continue
        both = _node(intersection(node, other), is_member(node) and is_member(other))
        if both is not None:
            out[step] = both
    return out


def disjoint(a: FieldSet, b: FieldSet) -> bool:
    """Whether no path is in both; quicker than looking at the intersection."""
    for step, node in a.items():
        other = b.get(step)
        if other is None or step == SELF:
            continue
        if (is_member(node) and is_member(other)) or not disjoint(node, other):
            return False
    return True


def contains(a: FieldSet, b: FieldSet) -> bool:
    """Whether every path of `b` is in `a`."""
    for step, node in b.items():
        if step == SELF:
            continue
        mine = a.get(step)
        if mine is None or (is_member(node) and not is_member(mine)) or not contains(mine, node):
            return False
    return True


def has(fields: FieldSet, *steps: str) -> bool:
    """Whether the path of these steps is in the set: `has(fields, "f:spec", "f:replicas")`."""
    node: FieldSet | None = fields
    for step in steps:
        node = node.get(step) if node is not None else None
    return node is not None and bool(steps) and is_member(node)


def canonical(fields: FieldSet) -> FieldSet:
    """The same set with its steps in upstream's order."""
    return {step: canonical(fields[step]) for step in sorted(fields)} if fields else {}


def paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """Every member as people read it: `.spec.template.spec.containers[name="web"].image`."""
    for step in sorted(fields):
        if step == SELF:
            continue
        path = prefix + shown(step)
        if is_member(fields[step]):
            yield path
        yield from paths(fields[step], path)


def shown(step: str) -> str:
    kind, _, text = step.partition(":")
    if kind == "f":
        return f".{text}"
    value = orjson.loads(text)
    if kind == "k":
        return "[" + ",".join(f"{key}={orjson.dumps(value[key]).decode()}" for key in sorted(value)) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"


def from_paths(*dotted: str) -> FieldSet:
    """The set of fields named with dots: `from_paths("status", "metadata.labels")`."""
    out: FieldSet = {}
    for path in dotted:
        one: FieldSet = {}
        for name in reversed(path.split(".")):
            one = {f"f:{name}": one}
        out = union(out, one)
    return out


def is_valid(fields: object) -> bool:
    """Whether a client's `fieldsV1` is a field set at all."""
    if not isinstance(fields, dict):
        return False
    return all(_is_step(step) and is_valid(node) for step, node in fields.items())


def _is_step(step: str) -> bool:
    if step == SELF or step.startswith("f:"):
        return True
    if step[:2] not in ("k:", "v:", "i:"):
        return False
    try:
        value = orjson.loads(step[2:])
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) if step.startswith("k:") else not isinstance(value, dict | list)
