"""D02, D07 to D09, D12, D16: what is installed in the image, and what that leaves in it."""

import re
from collections.abc import Iterator

from wherry.images.check.commands import apt_packages, called, commands, packages, pip_installs
from wherry.images.check.dockerfile import Dockerfile, Instruction
from wherry.images.check.finding import Edit, Finding, Level
from wherry.images.check.folder import Folder
from wherry.images.check.rules_copies import copies_all

_COMPILERS = frozenset(
    ("build-essential", "gcc", "g++", "make", "cmake", "clang", "git", "cargo", "rustc", "pkg-config", "autoconf")
)
_INSTALLERS = frozenset(("uv", "poetry", "pdm", "pipenv"))


def installs_dependencies(one: Instruction) -> bool:
    """Whether a RUN installs what the project depends on."""
    if one.name != "RUN":
        return False
    script = one.script
    return (
        any(True for _ in pip_installs(script))
        or any(words[1:2] in (["sync"], ["install"], ["ci"]) for words in called(script, "uv", "poetry", "pdm", "npm"))
        or any(words[1:2] in ([], ["install"]) for words in called(script, "yarn", "pnpm"))
    )


def app_before_dependencies(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D02."""
    for stage in file.stages:
        copied = None
        for one in stage.instructions:
            copied = copied or (one if copies_all(one) else None)
            if copied is not None and installs_dependencies(one) and "-e ." not in one.script:
                yield Finding(
                    rule="D02",
                    level=Level.ERROR,
                    file=file.path,
                    line=copied.line,
                    message=f"the whole app is copied before line {one.line} installs its dependencies",
                    cost="every edit of the app installs all dependencies again",
                    fix="copy only the requirements or lock file, install, and then COPY . .",
                )
                break


def caches(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D07: package managers' caches and lists in a layer of the image."""
    for stage in file.lineage(file.final):
        environment = {name: value for one in stage.all("ENV", "ARG") for name, value in one.pairs()}
        for one in stage.all("RUN"):
            mounts = [value for key, value in one.flags if key == "mount" and "type=cache" in value]
            if any(True for _ in pip_installs(one.script)) and not mounts and not environment.get("PIP_NO_CACHE_DIR"):
                installs = list(pip_installs(one.script))
                if any("--no-cache-dir" not in words and "--no-cache" not in words for words in installs):
                    yield _pip_cache(file, one)
            with_apt = apt_packages(one.script) and any(True for _ in called(one.script, "apt-get", "apt"))
            if with_apt and not mounts and "/var/lib/apt/lists" not in one.script:
                yield _lists(file, one)
            only = list(commands(one.script))
            if len(only) == 1 and only[0][0] in ("apt-get", "apt") and "update" in only[0]:
                yield _stale_index(file, one)


def _pip_cache(file: Dockerfile, one: Instruction) -> Finding:
    written = file.lines[one.line - 1]
    edit = None
    if one.line == one.last_line and written.count("pip install") == 1 and "uv pip" not in written:
        edit = Edit(file.path, one.line, one.line, written.replace("pip install", "pip install --no-cache-dir"))
    return Finding(
        rule="D07",
        level=Level.WARNING,
        file=file.path,
        line=one.line,
        message="pip keeps its cache in this layer",
        cost="about the size of the downloaded wheels, in every copy of the image",
        fix="pip install --no-cache-dir, or RUN --mount=type=cache,target=/root/.cache/pip",
        edit=edit,
    )


def _lists(file: Dockerfile, one: Instruction) -> Finding:
    return Finding(
        rule="D07",
        level=Level.WARNING,
        file=file.path,
        line=one.line,
        message="apt's package lists stay in this layer",
        cost="about 20 MB",
        fix="end the same RUN with: && rm -rf /var/lib/apt/lists/*",
    )


def _stale_index(file: Dockerfile, one: Instruction) -> Finding:
    return Finding(
        rule="D07",
        level=Level.WARNING,
        file=file.path,
        line=one.line,
        message="the package index is fetched in a RUN of its own",
        cost="the cached index grows old, and a later install fails on packages that are gone",
        fix="update and install in one RUN",
    )


def doubled(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D08: a later layer that only changes or removes what an earlier one holds."""
    for stage in file.lineage(file.final):
        copied: Instruction | None = None
        for one in stage.instructions:
            if one.name in ("COPY", "ADD"):
                copied = one
            if one.name != "RUN":
                continue
            changes = [
                words for words in called(one.script, "chown", "chmod") if "-R" in words or "--recursive" in words
            ]
            if changes and copied is not None and not installs_dependencies(one):
                yield _twice(
                    file, one, f"{changes[0][0]} -R writes every file that line {copied.line} copied once more"
                )
            elif _only_removes(one):
                yield _twice(file, one, "files of an earlier layer are removed here, and stay in that layer")


def _only_removes(one: Instruction) -> bool:
    found = list(commands(one.script))
    return bool(found) and all(words[0] == "rm" for words in found)


def _twice(file: Dockerfile, one: Instruction, message: str) -> Finding:
    return Finding(
        rule="D08",
        level=Level.WARNING,
        file=file.path,
        line=one.line,
        message=message,
        cost="the bytes are in the image twice",
        fix="COPY --chown= and --chmod= set owners and modes; remove files in the RUN that made them",
    )


def build_tools(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D09: what only a build needs, in what is shipped."""
    for stage in file.lineage(file.final):
        for one in stage.all("RUN"):
            installed = apt_packages(one.script)
            tools = [name for name in installed if name in _COMPILERS or name.endswith("-dev")]
            for words in pip_installs(one.script):
                tools += [name for name in packages(words) if re.split(r"[=<>~\[]", name)[0] in _INSTALLERS]
            removed = {
                name
                for words in called(one.script, "apt-get", "apt")
                if "purge" in words or "remove" in words
                for name in words
            }
            tools = [name for name in tools if name not in removed]
            if tools:
                yield Finding(
                    rule="D09",
                    level=Level.WARNING,
                    file=file.path,
                    line=one.line,
                    message=f"{', '.join(tools[:6])} in the final image, where nothing is built any more",
                    cost="tens to hundreds of MB, and tools for whoever breaks in",
                    fix="build in a first stage, and COPY --from it what is needed",
                )


def unpinned(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D12: an install that is not the same tomorrow."""
    for stage in file.stages:
        for one in stage.all("RUN"):
            for words in pip_installs(one.script):
                loose = [
                    name for name in packages(words) if not re.search(r"[=@<>~]", name) and not name.startswith("$")
                ]
                if loose:
                    yield _loose(file.path, one.line, f"pip installs {', '.join(loose[:5])} without a version")
    if not folder.locked:
        loose = sorted(name for name, specifier in folder.requirements.items() if "==" not in specifier)
        if loose:
            where = "requirements.txt" if "requirements.txt" in folder.files else "pyproject.toml"
            yield _loose(where, 0, f"{', '.join(loose[:5])}{' ...' if len(loose) > 5 else ''} without an exact version")


def _loose(path: str, line: int, message: str) -> Finding:
    return Finding(
        rule="D12",
        level=Level.WARNING,
        file=path,
        line=line,
        message=message,
        cost="the same Dockerfile gives another image tomorrow",
        fix="lock: uv lock, or uv pip compile --generate-hashes, and install from that",
    )


def old_forms(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D16: what is given twice, or written as one no longer does."""
    for stage in file.stages:
        for name in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            for lost in stage.all(name)[:-1]:
                yield _note(file, lost, f"this {name} is not used: a later one of the stage replaces it", "remove it")
        for one in stage.instructions:
            if one.name == "MAINTAINER":
                yield _note(file, one, "MAINTAINER is deprecated", "LABEL org.opencontainers.image.authors=...")
            elif one.name == "ENV" and one.words and "=" not in one.words[0]:
                name, value = one.pairs()[0]
                quoted = f'"{value}"' if re.search(r"\s", value) else value
                edit = None
                if one.line == one.last_line:
                    edit = Edit(file.path, one.line, one.line, f"ENV {name}={quoted}")
                yield _note(
                    file,
                    one,
                    "ENV without = is the old form, and takes the rest of the line",
                    f"ENV {name}={quoted}",
                    edit,
                )


def _note(file: Dockerfile, one: Instruction, message: str, fix: str, edit: Edit | None = None) -> Finding:
    cost = "readers and later builders take it for something else"
    return Finding(
        rule="D16", level=Level.NOTE, file=file.path, line=one.line, message=message, cost=cost, fix=fix, edit=edit
    )
