"""A whole folder under review: Dockerfile, manifests, and both held against the app. Fixes only on request."""

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from wherry import files
from wherry.deploy import folder as manifests_of
from wherry.deploy.check.check import check_across, check_manifests
from wherry.deploy.check.manifests import Manifest, Manifests
from wherry.deploy.check.rules_across import App
from wherry.deploy.reading import read_folder
from wherry.images.check.check import apply, check
from wherry.images.check.dockerfile import DockerfileError, parse
from wherry.images.check.finding import Edit, Finding
from wherry.images.check.folder import Builder, look
from wherry.kinds import schema


@dataclass(frozen=True)
class Review:
    """What was looked at and what was found, by file and line."""

    looked_at: Sequence[str]
    findings: Sequence[Finding]
    manifests: Manifests = field(default_factory=Manifests)

    @property
    def edits(self) -> list[Edit]:
        return [one.edit for one in self.findings if one.edit is not None]


def review(
    root: Path, *, dockerfile: str = "Dockerfile", today: date, builder: Builder | None = None, strict: bool = False
) -> Review:
    """Raises InputError where the folder cannot be read or a manifest is no YAML."""
    texts = read_folder(root)
    facts = look(root, builder)
    found = manifests_of.find(texts)
    placed = Manifests(tuple(Manifest(one.object, one.source, one.line) for one in found.manifests))
    findings = check_manifests(placed, schema.load())
    looked_at = list(dict.fromkeys(one.source for one in found.manifests))
    text = texts.get(dockerfile)
    if text is not None:
        looked_at.insert(0, dockerfile)
        findings = check(text, dockerfile, facts, today, strict=strict) + findings
        with contextlib.suppress(DockerfileError):  # the first check has said so
            findings += check_across(App(parse(text, dockerfile), facts, placed))
    return Review(looked_at, findings, placed)


def fix(root: Path, edits: Sequence[Edit]) -> list[str]:
    """Carry out the edits, file by file, each written whole; the files that changed."""
    changed = []
    for name in sorted({edit.file for edit in edits}):
        path = root / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = apply(before, [edit for edit in edits if edit.file == name])
        if after != before:
            with files.replacing(path, mode=files.ANYONE) as file:
                if path.exists():
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
                file.write(after.encode())
            changed.append(name)
    return changed
