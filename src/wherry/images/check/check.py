"""All rules over one Dockerfile and its folder, less what the author has allowed with a reason."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from wherry.images.check import rules_base, rules_build, rules_copies, rules_run
from wherry.images.check.dockerfile import Dockerfile, DockerfileError, Instruction, parse
from wherry.images.check.finding import Edit, Finding, Level
from wherry.images.check.folder import Folder

Rule = Callable[[Dockerfile, Folder], Iterator[Finding]]

RULES: Sequence[Rule] = (
    rules_base.unpinned_base,
    rules_build.app_before_dependencies,
    rules_copies.whole_folder,
    rules_copies.secrets,
    rules_run.runs_as_root,
    rules_run.shell_form,
    rules_build.caches,
    rules_build.doubled,
    rules_build.build_tools,
    rules_run.bytecode,
    rules_base.unknown_feature,
    rules_build.unpinned,
    rules_base.undefined_in_from,
    rules_copies.broken_copies,
    rules_copies.adds,
    rules_base.alpine_with_pip,
    rules_build.old_forms,
    rules_run.dev_server,
    rules_run.loopback,
    rules_run.worker_count,
    rules_run.heartbeat_directory,
)

OPTIONAL: Sequence[Rule] = (rules_run.named_user,)
"""Rules that are right for some: asked for by --strict."""

_ALLOW = re.compile(r"#\s*wherry:\s*allow\s+([A-Z]\d\d(?:\s*,\s*[A-Z]\d\d)*)\s*(?:because\s+(\S.*))?$", re.MULTILINE)


def check(text: str, path: str, folder: Folder, today: date, *, strict: bool = False) -> list[Finding]:
    """The findings, by line. A file that is no Dockerfile is one finding, D00."""
    try:
        file = parse(text, path)
    except DockerfileError as error:
        return [_unreadable(path, error)]
    found: list[Finding] = []
    for rule in (*RULES, *(OPTIONAL if strict else ())):
        found += rule(file, folder)
    found += rules_base.past_its_end(file, folder, today)
    return sorted(allowed(file, found), key=lambda one: (one.file != path, one.file, one.line, one.rule))


def allowed(file: Dockerfile, found: Iterable[Finding]) -> Iterator[Finding]:
    """`# wherry: allow D05 because REASON` above an instruction covers it; above the first FROM, the whole file.

    Without a reason it covers nothing, and is a finding of its own.
    """
    whole: set[str] = set()
    lines: dict[int, set[str]] = {}
    first = file.stages[0].start
    for one in (each for stage in file.stages for each in (stage.start, *stage.instructions)):
        for match in _ALLOW.finditer(one.comment):
            rules = {rule.strip() for rule in match[1].split(",")}
            if not match[2]:
                yield _reasonless(file, one, rules)
            elif one is first:
                whole |= rules
            else:
                for line in range(one.line, one.last_line + 1):
                    lines.setdefault(line, set()).update(rules)
    for finding in found:
        here = finding.file == file.path and finding.rule in lines.get(finding.line, ())
        if finding.rule not in whole and not here:
            yield finding


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits carried out, the last first; of two that overlap only the later in the file."""
    lines = text.splitlines()
    above = len(lines) + 1
    for edit in sorted(edits, key=lambda one: one.first, reverse=True):
        if max(edit.last, edit.first) < above or edit.last < edit.first:
            lines[edit.first - 1 : edit.last] = edit.text.splitlines()
            above = edit.first
    return "\n".join(lines) + "\n"


def _unreadable(path: str, error: DockerfileError) -> Finding:
    return Finding(
        rule="D00",
        level=Level.ERROR,
        file=path,
        line=error.line,
        message=error.message,
        cost="nothing can be built",
        fix="correct the line",
    )


def _reasonless(file: Dockerfile, one: Instruction, rules: Iterable[str]) -> Finding:
    names = ", ".join(sorted(rules))
    return Finding(
        rule="D00",
        level=Level.WARNING,
        file=file.path,
        line=one.line,
        message=f"{names} is allowed without a reason",
        cost="nobody will know whether it still holds; it is not taken into account",
        fix=f"# wherry: allow {names} because REASON",
    )
