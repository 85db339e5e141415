"""JSON merge patch, RFC 7386."""

from typing import Any


def apply(doc: Any, patch: Any) -> Any:
    """`doc` with `patch` merged in; neither is edited, unchanged parts are shared with the result."""
    if not isinstance(patch, dict):
        return patch
    out = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = apply(out.get(key), value)
    return out


def diff(old: Any, new: Any) -> Any:
    """The patch that makes `new` of `old`. Nulls inside `new` cannot be said in a merge patch and get lost."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif old[key] != value:
            patch[key] = diff(old[key], value)
    return patch
