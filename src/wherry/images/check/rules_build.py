"""D02 to D04, D07 to D09, D12 to D14, D16: how the image is built."""

import re
from collections.abc import Iterator

from wherry.images.check.commands import apt_packages, called, commands, packages, pip_installs
from wherry.images.check.dockerfile import Dockerfile, Instruction, Stage
from wherry.images.check.finding import Edit, Finding, Level
from wherry.images.check.folder import Folder

IGNORED = (
    ".git",
    ".venv",
    "venv",
    "__pycache__",
    "*.pyc",
    ".env",
    ".env.*",
    "node_modules",
    ".pytest_cache",
    "*.sqlite3",
)
_HEAVY = (".git/", ".venv/", "venv/", "node_modules/", "__pycache__/", ".tox/", ".mypy_cache/", "dist/", "build/")
_DATABASES = (".sqlite3", ".sqlite", ".db")
_SECRET_FILES = re.compile(
    r"(^|/)(\.env(\.(?!example|sample|template)[\w-]+)?|id_(rsa|dsa|ecdsa|ed25519)|\.npmrc|\.pypirc|\.netrc|\.git-credentials"
    r"|credentials\.json|service-account[\w-]*\.json|[\w.-]*\.(pem|key|p12|pfx|jks))$"
)
_SECRET_NAMES = re.compile(
    r"(?i)(^|_)(password|passwd|pwd|secret|token|api_?key|private_?key|access_?key|credentials?)(_|$)"
)
_NOT_SECRET = re.compile(r"(?i)(_file|_path|_dir|_url|_name|_id|_header|_ttl|_expiry|_timeout)$")
_COMPILERS = frozenset(
    ("build-essential", "gcc", "g++", "make", "cmake", "clang", "git", "cargo", "rustc", "pkg-config", "autoconf")
)
_INSTALLERS = frozenset(("uv", "poetry", "pdm", "pipenv"))
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz")


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


def copies_all(one: Instruction) -> bool:
    return one.name in ("COPY", "ADD") and one.flag("from") is None and any(w in (".", "./") for w in one.words[:-1])


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


def whole_folder(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D03: what a `COPY .` takes along."""
    copied = next((one for stage in file.stages for one in stage.instructions if copies_all(one)), None)
    if copied is None:
        return
    sent = folder.sent()
    heavy = {path: size for path, size in sent.items() if _unwanted(path)}
    if folder.ignore is None:
        waste = f"; {_bytes(sum(heavy.values()))} of it in {_tops(heavy)}" if heavy else ""
        text = "\n".join(IGNORED) + "\n"
        yield Finding(
            rule="D03",
            level=Level.WARNING,
            file=file.path,
            line=copied.line,
            message=f"COPY . with no .dockerignore sends {_bytes(sum(sent.values()))} in {len(sent)} files{waste}",
            cost="slower builds, a larger image, and local files such as .env in it",
            fix="write a .dockerignore",
            edit=Edit(".dockerignore", 1, 0, text),
        )
    elif heavy:
        yield Finding(
            rule="D03",
            level=Level.WARNING,
            file=".dockerignore",
            line=0,
            message=f"the ignore file lets {_bytes(sum(heavy.values()))} in: {_tops(heavy)}",
            cost="slower builds, a larger image, and local files in it",
            fix=f"add to it: {' '.join(sorted(_top(path) for path in heavy))}"[:300],
        )
    yield from _only_at_the_root(folder, sent)


def _only_at_the_root(folder: Folder, sent: dict[str, int]) -> Iterator[Finding]:
    for number, line in enumerate(folder.ignore_lines, 1):
        name = line.strip().strip("/")
        if not name or "/" in name or name.startswith(("#", "!", "*")):
            continue
        deeper = [path for path in sent if f"/{name}/" in f"/{path}" and not path.startswith(f"{name}/")]
        if deeper:
            yield Finding(
                rule="D03",
                level=Level.WARNING,
                file=".dockerignore",
                line=number,
                message=f"{line.strip()} matches at the root only, and {deeper[0]} is below it",
                cost=f"{_bytes(sum(sent[path] for path in deeper))} go along",
                fix=f"write **/{name}",
                edit=Edit(".dockerignore", number, number, f"**/{name}"),
            )


def _unwanted(path: str) -> bool:
    return (
        any(f"/{each}" in f"/{path}" for each in _HEAVY[:5])
        or path.endswith(_DATABASES)
        or bool(_SECRET_FILES.search(path))
    )


def _top(path: str) -> str:
    """The folder or file that an ignore line would name."""
    for each in _HEAVY:
        at = f"/{path}".find(f"/{each}")
        if at >= 0:
            return f"/{path}"[1 : at + len(each)]
    return path


def _tops(heavy: dict[str, int]) -> str:
    return ", ".join(sorted({_top(path) for path in heavy})[:5])


def secrets(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D04: what stays readable in the image's history or layers."""
    for stage in file.stages:
        for one in stage.instructions:
            if one.name in ("ARG", "ENV"):
                for name, value in one.pairs():
                    if _SECRET_NAMES.search(name) and not _NOT_SECRET.search(name) and (one.name == "ARG" or value):
                        yield _secret(file, one, f"{one.name} {name} looks like a secret")
            elif one.name in ("COPY", "ADD") and one.flag("from") is None:
                for source in one.words[:-1]:
                    if _SECRET_FILES.search(source):
                        yield _secret(file, one, f"{source} looks like a secret")


def _secret(file: Dockerfile, one: Instruction, what: str) -> Finding:
    return Finding(
        rule="D04",
        level=Level.ERROR,
        file=file.path,
        line=one.line,
        message=what,
        cost="it stays in the image's history for everybody who can pull it, even if a later step deletes it",
        fix="in a build: RUN --mount=type=secret; at run time: a Kubernetes Secret in the environment",
    )


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


def broken_copies(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D13: stages, folders and sources that are not there."""
    seen: set[str] = set()
    for stage in file.stages:
        if stage.name and stage.name.lower() in seen:
            yield _breaks(file, stage.start, f"there are two stages named {stage.name}", "give each its own name")
        seen.add(stage.name.lower())
        directory = len(file.lineage(stage)) > 1
        for one in stage.instructions:
            if one.name == "WORKDIR":
                if not one.text.startswith(("/", "$", "\\", '"')) and not directory:
                    yield _breaks(
                        file, one, f"WORKDIR {one.text} hangs on what the base happens to set", f"WORKDIR /{one.text}"
                    )
                directory = True
            if one.name in ("COPY", "ADD"):
                if not directory and not one.words[-1].startswith(("/", "$")):
                    yield _breaks(
                        file, one, f"{one.name} to {one.words[-1]} without a WORKDIR", "set WORKDIR /app before it"
                    )
                    directory = True  # once is enough
                yield from _source(file, folder, stage, one)


def _source(file: Dockerfile, folder: Folder, stage: Stage, one: Instruction) -> Iterator[Finding]:
    origin = one.flag("from")
    if origin is not None:
        known = file.stage(origin)
        if known is None and origin.isdigit():
            yield _breaks(file, one, f"there is no stage {origin}", "name the stage that makes the files")
        elif known is not None and known.index >= stage.index:
            yield _breaks(file, one, f"the stage {origin} comes later", "move it above this one")
        return
    for source in one.words[:-1]:
        plain = source.strip("/").removeprefix("./")
        if not folder.files or not plain or plain == "." or re.search(r"[*?\[$<]|://", source):
            continue
        inside = [path for path in folder.files if path == plain or path.startswith(f"{plain}/")]
        if not inside:
            yield _breaks(file, one, f"{source} is not in the folder", "correct the path, or make the file first")
        elif folder.ignore is not None and all(folder.ignore.covers(path) for path in inside):
            yield _breaks(file, one, f".dockerignore leaves {source} out", f"add !{plain} to .dockerignore")


def _breaks(file: Dockerfile, one: Instruction, message: str, fix: str) -> Finding:
    cost = "the build fails, or does something else than it says"
    return Finding(rule="D13", level=Level.ERROR, file=file.path, line=one.line, message=message, cost=cost, fix=fix)


def adds(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D14: ADD where COPY is meant, and downloads that nobody checks."""
    for stage in file.stages:
        for one in stage.instructions:
            if one.name == "ADD":
                yield from _add(file, one)
            elif one.name == "RUN" and re.search(r"(curl|wget)[^|;&\n]*\|\s*(sudo\s+)?(ba|z)?sh\b", one.script):
                yield Finding(
                    rule="D14",
                    level=Level.WARNING,
                    file=file.path,
                    line=one.line,
                    message="a script is downloaded and run unseen",
                    cost="whoever answers for that address writes your image; a broken download counts as done",
                    fix="download to a file, check its sha256, then run it",
                )


def _add(file: Dockerfile, one: Instruction) -> Iterator[Finding]:
    sources = one.words[:-1]
    if any("://" in source for source in sources):
        if one.flag("checksum") is None:
            yield Finding(
                rule="D14",
                level=Level.WARNING,
                file=file.path,
                line=one.line,
                message="ADD downloads a file that nothing checks",
                cost="the image changes when the address does",
                fix="RUN curl -fsSLo FILE URL && echo 'SHA256  FILE' | sha256sum -c",
            )
    elif not any(source.endswith(_ARCHIVES) for source in sources):
        written = file.lines[one.line - 1]
        edit = Edit(file.path, one.line, one.line, re.sub(r"(?i)^(\s*)ADD\b", r"\1COPY", written))
        yield Finding(
            rule="D14",
            level=Level.WARNING,
            file=file.path,
            line=one.line,
            message="ADD copies plain files",
            cost="a source that turns into an archive or a URL would be unpacked or fetched",
            fix="write COPY",
            edit=edit,
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


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
