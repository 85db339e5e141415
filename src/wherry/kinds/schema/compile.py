"""Compiles the API's types, when the package is built, out of the sources of `lightkube-models`.

They are read as syntax, never imported: importing them needs lightkube and an HTTP client. What they do not say comes
from `merging` and `formats`. The result is two files beside this one: `table.json` (structure) and `docs.bin`
(descriptions, compressed).

A definition in the table is `{"fields": {name: token}, "required": [...], "gvk": [group, version, kind], "atomic":
true}` or `{"alias": shape}`; a token is a type, then its merging facts after `;` (read by `tokens`):

    string | boolean | int32 | int64 | double | byte | #DEFINITION | [ITEM | {VALUE
    ;list=map:port,protocol  ;list=set  ;list=  (marked neither way)  ;patch=merge:port  ;map=atomic  ;map=granular
    ;default=protocol:TCP
"""

import ast
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wherry.kinds.schema import formats, merging

Entry = dict[str, Any]
Docs = dict[str, dict[str, str]]  # definition -> field ("" for itself) -> description

_SCALARS: Mapping[str, str] = {"str": "string", "bool": "boolean", "int": "int32", "float": "double"}


def write(models: Path, target: Path) -> list[Path]:
    """Compile the models in a folder into `target`; the files written."""
    table, docs = compile_models(models)
    structure, texts = target / "table.json", target / "docs.bin"
    structure.write_text(json.dumps(table, separators=(",", ":"), sort_keys=True), encoding="utf-8")
    texts.write_bytes(zlib.compress(json.dumps(docs, separators=(",", ":"), sort_keys=True).encode(), 9))
    return [structure, texts]


def compile_models(models: Path) -> tuple[dict[str, Entry], Docs]:
    """All definitions of the models in a folder, and what is said of them."""
    table: dict[str, Entry] = {}
    docs: Docs = {}
    facts = _field_facts()
    for path in sorted(models.glob("[a-z]*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                name = f"{_package(path.stem)}.{node.name}"
                table[name] = _struct(node, path.stem, facts)
                docs[name] = _descriptions(node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                alias = node.targets[0].id
                table[f"{_package(path.stem)}.{alias}"] = {"alias": formats.ALIASES[alias]}
    _refuse_unused(table)
    return table, docs


def _package(module: str) -> str:
    """The prefix of a module's definitions."""
    group, _, version = module.rpartition("_")
    return formats.PACKAGES.get(module) or f"io.k8s.api.{group}.{version}"


def _struct(node: ast.ClassDef, module: str, facts: Mapping[str, str]) -> Entry:
    fields: dict[str, str] = {}
    required: list[str] = []
    for field in _fields(node):
        key = f"{node.name}.{_json_name(field)}"
        token = _token(_annotation(field), module, key)
        fields[_json_name(field)] = token + _merging(token, node.name, key, facts)
        if field.value is None:
            required.append(_json_name(field))
    entry: Entry = {"fields": fields}
    if required:
        entry["required"] = sorted(required)
    group_version_kind = _group_version_kind(node)
    if group_version_kind:
        entry["gvk"] = group_version_kind
    group = _package(module).removeprefix("io.k8s.api.")
    if not {node.name, f"{node.name}@{group}"}.isdisjoint(merging.ATOMIC_STRUCTS.split()):
        entry["atomic"] = True
    return entry


def _fields(node: ast.ClassDef) -> Iterator[ast.AnnAssign]:
    return (statement for statement in node.body if isinstance(statement, ast.AnnAssign))


def _json_name(field: ast.AnnAssign) -> str:
    """The field's name in JSON: another one than the attribute's where that is no Python name (`$ref`)."""
    if isinstance(field.value, ast.Call):
        for keyword in field.value.keywords:
            if keyword.arg == "metadata":
                return str(ast.literal_eval(keyword.value)["json"])
    assert isinstance(field.target, ast.Name)
    return field.target.id


def _annotation(field: ast.AnnAssign) -> str:
    text = str(ast.literal_eval(field.annotation)).strip()
    return text.removeprefix("Optional[")[:-1] if text.startswith("Optional[") else text


def _token(annotation: str, module: str, key: str) -> str:
    if annotation.startswith("List["):
        return "[" + _token(annotation.removeprefix("List[")[:-1], module, key)
    if annotation == "dict":
        values = (value for value, keys in formats.MAP_VALUES.items() if key in keys.split())
        return "{" + _token(next(values, "str"), module, key)
    if annotation == "int" and key in formats.INT64.split():
        return "int64"
    if annotation == "str" and key in formats.BYTES.split():
        return "byte"
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation in ("byte", "[string"):
        return annotation
    where, _, name = annotation.rpartition(".")
    return f"#{_package(where or module)}.{name}"


def _merging(token: str, struct: str, key: str, facts: Mapping[str, str]) -> str:
    unmarked = (struct.endswith("List") and key.endswith(".items")) or key in merging.UNMARKED_LISTS.split()
    if token.startswith("[") and unmarked and ";list=" not in facts.get(key, ""):
        return ";list=" + facts.get(key, "")
    return facts.get(key, "")


def _field_facts() -> dict[str, str]:
    """`Struct.field` -> the part of its token after the type."""
    facts: dict[str, str] = {}

    def note(fields: str, fact: str) -> None:
        for key in fields.split():
            facts[key] = facts.get(key, "") + fact

    for keys, fields in merging.LIST_MAPS.items():
        note(fields, f";list=map:{keys}")
        for key, value in merging.KEY_DEFAULTS.items():
            if key in keys.split(","):
                note(fields, f";default={key}:{value}")
    note(merging.LIST_SETS, ";list=set")
    note(merging.ATOMIC_MAPS, ";map=atomic")
    note(merging.GRANULAR_FIELDS, ";map=granular")
    for strategy, fields in merging.PATCHES.items():
        note(fields, f";patch={strategy}")
    return facts


def _group_version_kind(node: ast.ClassDef) -> list[str]:
    """What `__post_init__` sets as apiVersion and kind."""
    values = {
        target.attr: str(statement.value.value)
        for function in node.body
        if isinstance(function, ast.FunctionDef)
        for statement in function.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Attribute)
    }
    if "apiVersion" not in values:
        return []
    group, _, version = values["apiVersion"].rpartition("/")
    return [group, version, values["kind"]]


def _descriptions(node: ast.ClassDef) -> dict[str, str]:
    """The texts in a class's docstring: its own, and one bullet for each field."""
    text = ast.get_docstring(node) or ""
    own, _, parameters = text.partition("**parameters**")
    names = {field.target.id: _json_name(field) for field in _fields(node) if isinstance(field.target, ast.Name)}
    out = {"": _flow(own)}
    for bullet in parameters.split("\n* **")[1:]:
        attribute, _, rest = bullet.partition("**")
        out[names[attribute]] = _flow(rest.partition(" - ")[2])
    return {field: said for field, said in out.items() if said}


def _flow(text: str) -> str:
    """One line for each paragraph, as descriptions stand in OpenAPI."""
    paragraphs = "\n".join(line.strip() for line in text.strip().splitlines()).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs if paragraph)


def _refuse_unused(table: Mapping[str, Entry]) -> None:
    """A fact about a field that the models lack is a misspelling, or the models have moved on."""
    known = {f"{name.rpartition('.')[2]}.{field}" for name in table for field in table[name].get("fields", ())}
    stated = {*_field_facts(), *formats.INT64.split(), *formats.BYTES.split()}
    stated.update(*(fields.split() for fields in formats.MAP_VALUES.values()))
    if unused := sorted(stated - known):
        raise ValueError(f"merging.py and formats.py name fields that the models do not have: {', '.join(unused)}")
