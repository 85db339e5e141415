"""D05, D06, D10, D17 to D20: how the image runs."""

import re
from collections.abc import Iterator

import orjson

from wherry.images.check.commands import called, commands, pip_installs
from wherry.images.check.dockerfile import Dockerfile, Instruction
from wherry.images.check.finding import Edit, Finding, Level
from wherry.images.check.folder import Folder
from wherry.images.check.rules_base import split
from wherry.images.distributions import normalized

SERVERS = frozenset(("gunicorn", "uvicorn", "hypercorn", "waitress-serve", "daphne", "granian", "uwsgi", "streamlit"))
_DISTRIBUTIONS = {"waitress-serve": "waitress"}
_SHELL = re.compile(r"[$`|&;<>*?(){}~#\n\\]")


def environment(file: Dockerfile) -> dict[str, str]:
    """The variables that the final image sets."""
    stages = file.lineage(file.final)
    return {name: value for stage in stages for one in stage.all("ENV") for name, value in one.pairs()}


def started(file: Dockerfile) -> Instruction | None:
    """The instruction that says what the final image runs: its CMD, else its ENTRYPOINT."""
    stages = list(reversed(file.lineage(file.final)))
    for name in ("CMD", "ENTRYPOINT"):
        for stage in stages:
            found = stage.last(name)
            if found is not None:
                return found
    return None


def runs_as_root(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D05."""
    user = next((one for stage in reversed(file.lineage(file.final)) if (one := stage.last("USER"))), None)
    name = user.text.partition(":")[0].strip() if user else ""
    if user is None:
        repository, tag, _ = split(file.root_base(file.final))
        if "nonroot" in tag or "nonroot" in repository:
            return
        line, message = 0, "there is no USER: the app runs as root, unless the base says otherwise"
    elif name in ("0", "root"):
        line, message = user.line, "the last USER is root"
    else:
        return
    yield Finding(
        rule="D05",
        level=Level.WARNING,
        file=file.path,
        line=line,
        message=message,
        cost="a hole in the app is root in the container; clusters with Pod Security `restricted` refuse the pod",
        fix="USER 10001:10001 at the end (a number, so that runAsNonRoot can be verified)",
    )


def named_user(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D05: a name that a kubelet cannot check."""
    user = next((one for stage in reversed(file.lineage(file.final)) if (one := stage.last("USER"))), None)
    if user is None or user.text.strip().startswith("$"):
        return
    name = user.text.partition(":")[0].strip()
    if name and name != "root" and not name.isdigit():
        yield Finding(
            rule="D05",
            level=Level.NOTE,
            file=file.path,
            line=user.line,
            message=f"USER {name} is a name",
            cost="a pod with runAsNonRoot is refused, as a name cannot be verified",
            fix=f"USER with {name}'s number",
        )


def shell_form(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D06: a shell between the signal and the app."""
    for stage in file.lineage(file.final):
        for one in (stage.last("CMD"), stage.last("ENTRYPOINT")):
            if one is None or one.json is not None or one.text.startswith("exec "):
                continue
            plain = not _SHELL.search(one.text)
            words = orjson.dumps(one.words).decode().replace('","', '", "')
            better = f"{one.name} {words}" if plain else f'{one.name} ["/bin/sh", "-c", "exec ..."]'
            edit = Edit(file.path, one.line, one.last_line, better) if plain else None
            yield Finding(
                rule="D06",
                level=Level.ERROR,
                file=file.path,
                line=one.line,
                message=f"{one.name} in shell form: /bin/sh is process 1 and keeps SIGTERM to itself",
                cost="each stop and rollout waits the whole grace period, then kills the app in the middle of requests",
                fix=better,
                edit=edit,
            )


def bytecode(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D10: sources that every start compiles anew."""
    script = "\n".join(one.script for stage in file.stages for one in stage.all("RUN"))
    settings = environment(file)
    repository = split(file.root_base(file.final))[0]
    compiled = "compileall" in script
    lacking = []
    if settings.get("PYTHONDONTWRITEBYTECODE") and not compiled:
        lacking.append("the app's own modules (PYTHONDONTWRITEBYTECODE is set)")
    uses_uv = any(words[1:2] in (["sync"], ["pip"]) for words in called(script, "uv"))
    every = {name for stage in file.stages for one in stage.all("ENV") for name, _ in one.pairs()}
    if uses_uv and not compiled and "--compile-bytecode" not in script and "UV_COMPILE_BYTECODE" not in every:
        lacking.append("the dependencies (uv does not compile unless told)")
    if repository.rpartition("/")[2] == "python" and not compiled and _is_app(file):
        lacking.append("the standard library (the official image ships it without)")
    if not lacking:
        return
    yield Finding(
        rule="D10",
        level=Level.WARNING,
        file=file.path,
        line=file.final.start.line,
        message=f"no bytecode in the image for {' and '.join(lacking)}",
        cost="each start compiles it: `import flask` took 400 ms without the standard library's bytecode, 132 ms with",
        fix="RUN python -m compileall -q over these folders, and UV_COMPILE_BYTECODE=1 for uv",
    )


def _is_app(file: Dockerfile) -> bool:
    return started(file) is not None


def dev_server(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D17: a server for one developer, or one that nobody installs."""
    one = started(file)
    if one is None:
        return
    for words in commands(" ".join(one.words)):
        program = words[0].rpartition("/")[2]
        what = _development(words, program, folder, environment(file))
        if what:
            yield Finding(
                rule="D17",
                level=Level.ERROR,
                file=file.path,
                line=one.line,
                message=f"{what} is a development server",
                cost="one request at a time or a reloader beside it; crashes and tracebacks reach the users",
                fix='a production server: CMD ["gunicorn", "--bind", "0.0.0.0:5000", "--threads", "8", "app:app"]',
            )
        server = (
            program
            if program in SERVERS
            else next((w for w in words[1:3] if w in SERVERS and words[1:2] == ["-m"]), "")
        )
        needed = normalized(_DISTRIBUTIONS.get(server, server))
        if server and folder.requirements and needed not in folder.requirements and not _installed(file, needed):
            yield Finding(
                rule="D17",
                level=Level.ERROR,
                file=file.path,
                line=one.line,
                message=f"{server} starts the app, and nothing installs it",
                cost="the container ends at once with 'not found'",
                fix=f"add {needed} to the dependencies",
            )


def _development(words: list[str], program: str, folder: Folder, variables: dict[str, str]) -> str:
    text = " ".join(words)
    if program == "flask" and "run" in words:
        return "flask run"
    if "manage.py runserver" in text:
        return "manage.py runserver"
    if "--reload" in words or "--debug" in words:
        return f"{program} {'--reload' if '--reload' in words else '--debug'}"
    if words[0] in ("fastapi",) and "dev" in words:
        return "fastapi dev"
    if program.startswith("python") and "-m" in words and "http.server" in words:
        return "python -m http.server"
    script = next((word for word in words[1:] if word.endswith(".py")), "") if program.startswith("python") else ""
    source = folder.sources.get(script.removeprefix("./").removeprefix("/app/"), "")
    if re.search(r"^\s+\w+\.run\(", source, re.MULTILINE) and re.search(r"\b(flask|Flask|bottle)\b", source):
        return f"{script}, which calls app.run()"
    return ""


def _installed(file: Dockerfile, name: str) -> bool:
    scripts = (one.script for stage in file.stages for one in stage.all("RUN"))
    return any(name in " ".join(words) for script in scripts for words in pip_installs(script))


def loopback(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D18: a server that only the container itself can reach."""
    one = started(file)
    places = [(one, one.script)] if one is not None else []
    for stage in file.lineage(file.final):
        for each in stage.all("ENV"):
            bound = [
                value for name, value in each.pairs() if name in ("HOST", "BIND", "FLASK_RUN_HOST", "UVICORN_HOST")
            ]
            places += [(each, value) for value in bound]
    for place, text in places:
        if re.search(r"(?:^|[\s=:\"/])(127\.0\.0\.1|localhost)(?=[:\s\"]|$)", text):
            yield Finding(
                rule="D18",
                level=Level.WARNING,
                file=file.path,
                line=place.line,
                message="the app binds to the loopback address",
                cost="no Service and no probe reaches it",
                fix="bind to 0.0.0.0",
            )


def worker_count(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D19: as many workers as the host has cores."""
    one = started(file)
    if one is not None and re.search(r"nproc|cpu_count", one.script):
        yield _workers(file.path, one.line)
    for path, text in folder.sources.items():
        if path.endswith(("gunicorn.conf.py", "gunicorn_conf.py")) and "cpu_count()" in text:
            line = next(number for number, each in enumerate(text.splitlines(), 1) if "cpu_count()" in each)
            yield _workers(path, line)


def _workers(path: str, line: int) -> Finding:
    return Finding(
        rule="D19",
        level=Level.WARNING,
        file=path,
        line=line,
        message="the number of workers follows the host's cores, not the container's limit",
        cost="dozens of workers on a large machine, ended for want of memory",
        fix="one or two workers with threads in each replica, and more replicas",
    )


def heartbeat_directory(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D20: gunicorn's heartbeat files on disk."""
    one = started(file)
    if one is None or "gunicorn" not in one.script or "--worker-tmp-dir" in one.script:
        return
    if any("worker_tmp_dir" in text for path, text in folder.sources.items() if "gunicorn" in path):
        return
    yield Finding(
        rule="D20",
        level=Level.NOTE,
        file=file.path,
        line=one.line,
        message="gunicorn's heartbeat files go to the container's disk",
        cost="workers that wait for a slow disk are taken for dead; a read-only root needs a /tmp",
        fix="--worker-tmp-dir /dev/shm",
    )
