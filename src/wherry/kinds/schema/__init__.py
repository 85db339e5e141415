"""The types of the built-in kinds: a table compiled when the package is built, read by definition.

`load()` gives the Table; `check` holds an object against one of its types. Which definition a kind has is said by
`Kind.schema`; what the facts are is said in `merging` and `formats`, which only the build reads.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wherry.kinds.schema import tokens
from wherry.objects.schema import Shape, Struct, Type


class Table:
    """Definitions by name; each becomes a Type when it is first asked for."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._entries = entries
        self._structs: dict[str, Struct] = {}
        self._types: dict[str, Type] = {}

    def names(self) -> Iterator[str]:
        return iter(self._entries)

    def entry(self, name: str) -> Mapping[str, Any]:
        """A definition as it stands in the table (its form: `compile`): what OpenAPI is rendered from."""
        found: Mapping[str, Any] = self._entries[name]
        return found

    def definition(self, name: str) -> Type:
        """The type of a definition, as `io.k8s.api.apps.v1.Deployment`; KeyError where there is none such."""
        return self._type("#" + name)

    def docs(self) -> Mapping[str, Mapping[str, str]]:
        """Descriptions: definition -> field ("" for its own) -> text. Read anew at each call, and large."""
        found: Mapping[str, Mapping[str, str]] = json.loads(zlib.decompress(_compiled("docs.bin")))
        return found

    def _type(self, token: str) -> Type:
        found = self._types.get(token)
        if found is None:
            found = self._types[token] = tokens.read(token, self._refer)
        return found

    def _refer(self, name: str) -> tuple[Shape, str, Struct | None, bool]:
        entry = self._entries[name]
        if "alias" in entry:
            return (*tokens.SCALARS[entry["alias"]], None, False)
        return Shape.OBJECT, "", self._struct(name, entry), entry.get("atomic", False)

    def _struct(self, name: str, entry: Mapping[str, Any]) -> Struct:
        found = self._structs.get(name)
        if found is None:
            # known before its fields are read: they may refer to it
            found = self._structs[name] = Struct(name, required=tuple(entry.get("required", ())))
            found.fields.update((field, self._type(token)) for field, token in entry["fields"].items())
        return found


def load() -> Table:
    """Read the compiled table."""
    return Table(json.loads(_compiled("table.json")))


def _compiled(name: str) -> bytes:
    """A file that the build puts beside this one."""
    return Path(__file__).with_name(name).read_bytes()
