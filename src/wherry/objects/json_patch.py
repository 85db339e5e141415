"""JSON patch, RFC 6902, as kube-apiserver reads it.

Its library departs from the RFC in places that clients have come to see: `replace` on a missing key of an object sets
it, `test` against null holds for a missing key, negative array indexes count from the end, `add` with the path "" is
refused.
"""

import re
from collections.abc import Sequence
from typing import Any

import orjson

MAX_COPY_BYTES = 3 * 1024 * 1024
"""How much all `copy` operations of a patch may add together: a few of them can double a document again and again."""

_INDEX = re.compile("[+-]?[0-9]{1,9}")
_MISSING = "missing value"


class PatchFailed(Exception):
    """The patch does not apply to this document; the message is upstream's."""


class PatchTooLarge(PatchFailed):
    """The patch copies more than it may (413 instead of 422)."""


def apply(doc: Any, ops: Sequence[Any], *, max_copy_bytes: int = MAX_COPY_BYTES) -> Any:
    """`doc` after all operations; the input is not edited, untouched parts are shared with the result."""
    run = _Run(doc, max_copy_bytes)
    for op in ops:
        if not isinstance(op, dict):
            raise PatchFailed(f"operation must be an object, not {op!r}")
        kind = op.get("op")
        method = run.operations.get(kind) if isinstance(kind, str) else None
        if method is None:
            raise PatchFailed(f"Unexpected kind: {kind if isinstance(kind, str) else 'unknown'}")
        method(op)
    return run.doc


def equal(a: Any, b: Any) -> bool:
    """Equality of JSON values: unlike Python's, `true` is not 1 and 1.0 is not 1."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(key in b and equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def _pointer(op: dict[str, Any], name: str) -> str:
    path = op.get(name)
    if not isinstance(path, str):
        raise PatchFailed(f"{op['op']} operation failed to decode {name}: {_MISSING}")
    return path


def _index(key: str, length: int) -> int:
    """An existing position of a list."""
    if not _INDEX.fullmatch(key):
        raise PatchFailed(f"strconv.Atoi: parsing {orjson.dumps(key).decode()}: invalid syntax")
    index = int(key)
    if not -length <= index < length:
        raise PatchFailed(f"Unable to access invalid index: {index}: invalid index detected")
    return index % length


def _get(container: Any, key: str) -> Any:
    """A child, None for a missing key of an object; a missing item of a list fails."""
    return container.get(key) if isinstance(container, dict) else container[_index(key, len(container))]


def _put(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container[_index(key, len(container))] = value


def _add(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        if not _INDEX.fullmatch(key):
            raise PatchFailed(f"value was not a proper array index: '{key}'")
        container.insert(_index(key, len(container) + 1), value)


def _remove(container: Any, key: str) -> None:
    if isinstance(container, list):
        del container[_index(key, len(container))]
    elif key in container:
        del container[key]
    else:
        raise PatchFailed(f"Unable to remove nonexistent key: {key}: {_MISSING}")


class _Run:
    """One application: `doc` as it is so far. Containers are copied once, when first written to."""

    def __init__(self, doc: Any, max_copy_bytes: int) -> None:
        self.doc = doc
        self.max_copy_bytes = max_copy_bytes
        self.copied_bytes = 0
        self.own: dict[int, Any] = {}  # our copies by id; the values keep the ids from being used again
        self.operations = {
            "add": self.add,
            "remove": self.remove,
            "replace": self.replace,
            "move": self.move,
            "copy": self.copy,
            "test": self.test,
        }

    def _owned(self, container: Any) -> Any:
        if id(container) in self.own:
            return container
        fresh = container.copy()
        self.own[id(fresh)] = fresh
        return fresh

    def _walk(self, path: str, *, write: bool) -> tuple[Any, str] | None:
        """The container that holds the last part of `path` and that part; None where there is no such container."""
        keys = [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")]
        if len(keys) < 2 or not isinstance(self.doc, dict | list):
            return None
        if write:
            self.doc = self._owned(self.doc)
        at = self.doc
        for key in keys[1:-1]:
            try:
                child = _get(at, key)
            except PatchFailed:
                return None
            if not isinstance(child, dict | list):
                return None
            if write:
                child = self._owned(child)
                _put(at, key, child)
            at = child
        return at, keys[-1]

    def _find(self, path: str, problem: str, *, write: bool) -> tuple[Any, str]:
        found = self._walk(path, write=write)
        if found is None:
            raise PatchFailed(f"{problem}: {_MISSING}")
        return found

    def add(self, op: dict[str, Any]) -> None:
        path = _pointer(op, "path")
        at, key = self._find(path, f'add operation does not apply: doc is missing path: "{path}"', write=True)
        try:
            _add(at, key, op.get("value"))
        except PatchFailed as error:
            raise PatchFailed(f"error in add for path: '{path}': {error}") from None

    def remove(self, op: dict[str, Any]) -> None:
        path = _pointer(op, "path")
        at, key = self._find(path, f'remove operation does not apply: doc is missing path: "{path}"', write=True)
        try:
            _remove(at, key)
        except PatchFailed as error:
            raise PatchFailed(f"error in remove for path: '{path}': {error}") from None

    def replace(self, op: dict[str, Any]) -> None:
        path, value = _pointer(op, "path"), op.get("value")
        if path == "":
            if not isinstance(value, dict | list):
                raise PatchFailed("replace operation value must be object or array")
            self.doc = value
            return
        at, key = self._find(path, f"replace operation does not apply: doc is missing path: {path}", write=True)
        try:
            _put(at, key, value)
        except PatchFailed:
            raise PatchFailed(f"replace operation does not apply: doc is missing key: {path}: {_MISSING}") from None

    def move(self, op: dict[str, Any]) -> None:
        source = _pointer(op, "from")
        at, key = self._find(source, f"move operation does not apply: doc is missing from path: {source}", write=True)
        try:
            value = _get(at, key)
            _remove(at, key)
        except PatchFailed as error:
            raise PatchFailed(f"error in move for path: '{key}': {error}") from None
        path = _pointer(op, "path")
        missing = f"move operation does not apply: doc is missing destination path: {path}"
        at, key = self._find(path, missing, write=True)
        try:
            _add(at, key, value)
        except PatchFailed as error:
            raise PatchFailed(f"error in move for path: '{path}': {error}") from None

    def copy(self, op: dict[str, Any]) -> None:
        source = _pointer(op, "from")
        at, key = self._find(source, f"copy operation does not apply: doc is missing from path: {source}", write=False)
        try:
            raw = orjson.dumps(_get(at, key))
        except PatchFailed as error:
            raise PatchFailed(f"error in copy for from: '{source}': {error}") from None
        self.copied_bytes += len(raw)
        if self.copied_bytes > self.max_copy_bytes:
            raise PatchTooLarge(
                "Unable to complete the copy, the accumulated size increase of copy is "
                f"{self.copied_bytes}, exceeding the limit {self.max_copy_bytes}"
            )
        path = _pointer(op, "path")
        missing = f"copy operation does not apply: doc is missing destination path: {path}"
        at, key = self._find(path, missing, write=True)
        try:
            _add(at, key, orjson.loads(raw))  # a value of its own: what we own may be edited in place later
        except PatchFailed as error:
            raise PatchFailed(f"error while adding value during copy: {error}") from None

    def test(self, op: dict[str, Any]) -> None:
        path, wanted = _pointer(op, "path"), op.get("value")
        actual = self.doc
        if path != "":
            at, key = self._find(path, f"test operation does not apply: is missing path: {path}", write=False)
            try:
                actual = _get(at, key)
            except PatchFailed as error:
                raise PatchFailed(f"error in test for path: '{path}': {error}") from None
        if not equal(actual, wanted):
            raise PatchFailed(f"testing value {path} failed: test failed")
