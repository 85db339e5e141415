"""What `kubectl get -o wide` shows of typical objects of each kind, compared as whole tables.

The cells were compared with those of kube-apiserver 1.34.4 for the same objects.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import yaml

from tests.support.golden import assert_golden
from wherry.apiserver.http.tables import table
from wherry.kinds.catalog import KINDS, by_api
from wherry.kinds.kind import Kind
from wherry.objects import Obj

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CREATED = "2026-11-20T20:00:00Z"


def kind_of(obj: Obj) -> Kind:
    kind = by_api(obj["apiVersion"], obj["kind"])
    assert kind is not None
    return kind


def objects() -> Sequence[Obj]:
    found: list[Obj] = yaml.safe_load((HERE / "objects.yaml").read_text())
    for obj in found:
        obj["metadata"]["creationTimestamp"] = CREATED
        kind_of(obj).default(obj)
    return found


def shown(kind: Kind, of_kind: Sequence[Obj]) -> Iterator[str]:
    drawn = table(kind, of_kind, now=NOW, include="None")
    heads = [head["name"].upper() + "*" * head["priority"] for head in drawn["columnDefinitions"]]
    lines = [heads, *([str(cell) for cell in row["cells"]] for row in drawn["rows"])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    yield f"# {kind.id}"
    for line in lines:
        yield "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def test_tables_are_the_golden_ones() -> None:
    groups = groupby(objects(), key=kind_of)
    text = "\n".join(line for kind, found in groups for line in (*shown(kind, list(found)), ""))
    assert_golden(HERE / "tables.txt", text)


def test_each_stored_kind_has_a_golden_row() -> None:
    assert {kind.id for kind in KINDS if "get" in kind.verbs} == {kind_of(obj).id for obj in objects()}
