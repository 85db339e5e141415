"""Figures beside one another: which way better lies, and where the table goes."""

from pathlib import Path

import pytest

from bench.figures import BEGIN, END, Figure, rate, seconds, table, write


def rows(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells}


def test_ratios_say_how_many_times_better_the_first_is() -> None:
    one = [seconds("start", 0.5), rate("get", 3000), Figure("sent", 10, "", compared=False), seconds("own", 1)]
    two = [seconds("start", 2.0), rate("get", 1000), Figure("sent", 20, "", compared=False)]
    found = rows(table({"a": one, "b": two}))
    assert found["measured"] == ["a", "b", "ratio"]
    assert found["start"] == ["0.50 s", "2 s", "4.0x"]
    assert found["get"] == ["3,000 /s", "1,000 /s", "3.0x"]
    assert found["sent"] == ["10", "20", ""]
    assert found["own"][0] == "1 s"


def test_nothing_is_divided_by_none() -> None:
    found = rows(table({"a": [seconds("lost", 0)], "b": [seconds("lost", 5)]}))
    assert found["lost"] == ["0 s", "5 s", ""]


def test_one_cluster_alone_has_no_ratio() -> None:
    assert rows(table({"a": [rate("get", 123.4)]}))["get"] == ["123 /s"]


def test_the_table_replaces_what_was_between_the_markers(tmp_path: Path) -> None:
    document = tmp_path / "PERFORMANCE.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(document, "new")
    assert document.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_document_without_markers_stays_as_it_is(tmp_path: Path) -> None:
    document = tmp_path / "PERFORMANCE.md"
    document.write_text(f"{BEGIN}\nno end")
    with pytest.raises(SystemExit, match="lacks"):
        write(document, "new")
    assert document.read_text() == f"{BEGIN}\nno end"
