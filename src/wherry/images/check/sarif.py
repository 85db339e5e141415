"""Findings as SARIF 2.1.0, which code hosts show beside the lines, and as plain JSON."""

from collections.abc import Sequence
from typing import Any

from wherry.images.check.finding import Finding


def sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """One run of the tool `wherry`."""
    rules = sorted({one.rule for one in findings})
    driver = {"name": "wherry", "version": version, "rules": [{"id": rule} for rule in rules]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_result(one, rules) for one in findings]}],
    }


def _result(one: Finding, rules: Sequence[str]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": one.file}}
    if one.line:
        place["region"] = {"startLine": one.line}
    return {
        "ruleId": one.rule,
        "ruleIndex": rules.index(one.rule),
        "level": one.level.name.lower(),
        "message": {"text": f"{one.message}. Cost: {one.cost}. Fix: {one.fix}"},
        "locations": [{"physicalLocation": place}],
    }


def plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """A list that scripts read."""
    return [
        {
            "rule": one.rule,
            "level": one.level.name.lower(),
            "file": one.file,
            "line": one.line,
            "message": one.message,
            "cost": one.cost,
            "fix": one.fix,
            "fixable": one.edit is not None,
        }
        for one in findings
    ]
