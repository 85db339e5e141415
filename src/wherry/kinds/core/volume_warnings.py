"""Files of one volume that would lie on each other: two keys at one path, or one path inside another."""

from collections.abc import Iterator

from wherry.kinds.defaults import items
from wherry.objects import Obj
from wherry.objects.field_errors import show

_Path = tuple[str, str]  # the path, and what it is of


def of(spec: Obj) -> Iterator[str]:
    """In a pod's spec."""
    for volume in items(spec, "volumes"):
        name = show(volume.get("name", ""))
        for source, said in _sources(volume):
            for overlap in _overlaps(_items(source, "")):
                yield f"volume {name} ({said}): overlapping paths: {overlap}"
        projected = volume.get("projected")
        if projected is not None:
            sources = list(items(projected, "sources"))
            for _ in (one for one in sources if not any(value is not None for value in one.values())):
                yield f"volume {name} (Projected) has no sources provided"
            for overlap in _overlaps([path for one in sources for path in _projected(one)]):
                yield f"volume {name} (Projected): overlapping paths: {overlap}"


def _sources(volume: Obj) -> Iterator[tuple[Obj, str]]:
    if volume.get("configMap") is not None:
        yield volume["configMap"], f"ConfigMap {show(volume['configMap'].get('name', ''))}"
    if volume.get("secret") is not None:
        yield volume["secret"], f"Secret {show(volume['secret'].get('secretName', ''))}"
    if volume.get("downwardAPI") is not None:
        yield volume["downwardAPI"], "DownwardAPI"


def _projected(source: Obj) -> list[_Path]:
    for key, word in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if source.get(key) is not None:
            return _items(source[key], f"{word} {show(source[key].get('name', ''))}")
    if source.get("downwardAPI") is not None:
        return _items(source["downwardAPI"], "DownwardAPI")
    if source.get("serviceAccountToken") is not None:
        return [(source["serviceAccountToken"].get("path", "").rstrip("/"), "ServiceAccountToken")]
    return []


def _items(source: Obj, of_what: str) -> list[_Path]:
    return [(item.get("path", "").rstrip("/"), of_what) for item in items(source, "items")]


def _overlaps(paths: list[_Path]) -> Iterator[str]:
    for index, (path, of_what) in enumerate(paths):
        for earlier, whose in paths[:index]:
            if path and earlier and (f"{earlier}/".startswith(f"{path}/") or f"{path}/".startswith(f"{earlier}/")):
                yield f"{_shown(path, of_what)} with {_shown(earlier, whose)}"


def _shown(path: str, of_what: str) -> str:
    return f"{show(path)} ({of_what})" if of_what else show(path)
