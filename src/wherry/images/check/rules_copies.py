"""D03, D04, D13, D14: what is copied into the image."""

import re
from collections.abc import Iterator

from wherry.images.check.dockerfile import Dockerfile, Instruction, Stage
from wherry.images.check.finding import Edit, Finding, Level
from wherry.images.check.folder import Folder
from wherry.images.size.treemap import written

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
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz")


def copies_all(one: Instruction) -> bool:
    return one.name in ("COPY", "ADD") and one.flag("from") is None and any(w in (".", "./") for w in one.words[:-1])


def whole_folder(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D03: what a `COPY .` takes along."""
    copied = next((one for stage in file.stages for one in stage.instructions if copies_all(one)), None)
    if copied is None:
        return
    sent = folder.sent()
    heavy = {path: size for path, size in sent.items() if _unwanted(path)}
    if folder.ignore is None:
        waste = f"; {written(sum(heavy.values()))} of it in {_tops(heavy)}" if heavy else ""
        text = "\n".join(IGNORED) + "\n"
        yield Finding(
            rule="D03",
            level=Level.WARNING,
            file=file.path,
            line=copied.line,
            message=f"COPY . with no .dockerignore sends {written(sum(sent.values()))} in {len(sent)} files{waste}",
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
            message=f"the ignore file lets {written(sum(heavy.values()))} in: {_tops(heavy)}",
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
                cost=f"{written(sum(sent[path] for path in deeper))} go along",
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
