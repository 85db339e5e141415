"""python -m bench.images: an image in layers beside buildah's of uv's guide: edits, sizes, imports, starts. As root."""

import argparse
import asyncio
import contextlib
import re
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import buildkit, edits
from bench.edits import engine
from bench.figures import Figure, machine, table
from wherry.images.base.image import REFERENCE, RUNTIME_REFERENCE, make
from wherry.images.build import build
from wherry.images.detect import App, detect
from wherry.images.layers.folder import build_python
from wherry.images.layers.workshop import Workshop
from wherry.images.layout import Layout, descriptor_of
from wherry.images.registry.transfer import compressed
from wherry.process import run

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
DEBS = Path.home() / ".cache" / "wherry-tests" / "debs"
BEGIN, END = "<!-- images: begin -->", "<!-- images: end -->"
MODULES, ROUNDS, TURNS = 200, 5, 15
REQUIREMENTS = "flask==3.1.2\ngunicorn==23.0.0\n"
# As uv's guide for containers has it, on the same base: dependencies first, compiled; the standard library as it comes.
GUIDE = f"""\
FROM {REFERENCE} AS builder
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=0
RUN pip install --target /opt/uv uv==0.13.9
WORKDIR /app
COPY requirements.txt ./
RUN python3 -m venv --without-pip /app/.venv && /opt/uv/bin/uv pip install --python /app/.venv/bin/python \\
    --compile-bytecode -r requirements.txt
COPY . /app
FROM {RUNTIME_REFERENCE}
COPY --from=builder /app /app
ENV PATH=/app/.venv/bin:$PATH
WORKDIR /app
USER 10001:10001
CMD ["gunicorn", "--bind", "0.0.0.0:8000", "app:app"]
"""
# The official slim images have no bytecode of the standard library; here it is taken out of the base for comparison.
SLIM = f"{GUIDE}USER 0\nRUN find /usr/lib/python3.11 -name '*.pyc' -exec rm -f {{}} +\nUSER 10001:10001\n"
IMPORTS = (
    "import time; t, c = time.perf_counter(), time.process_time(); import flask; "
    "print(1000 * (time.perf_counter() - t), 1000 * (time.process_time() - c))"
)
_ANEW = """
import asyncio, sys, time
from pathlib import Path
from bench.images import described
from wherry.images.layers.folder import build_python
from wherry.images.layers.workshop import Workshop
folder, place = map(Path, sys.argv[1:])
app, begun = described(folder), time.perf_counter()
asyncio.run(build_python(folder, app, reference="layered", store=place, on_event=lambda event: None))
print(1000 * (time.perf_counter() - begun))
"""


class Took(list[float]):
    """Milliseconds of several turns."""

    def figures(self, name: str) -> list[Figure]:
        """The least is what the machine's other work disturbed least."""
        return [Figure(f"{name}, median", statistics.median(self), "ms"), Figure(f"{name}, least", min(self), "ms")]


@dataclass(frozen=True)
class Root:
    """An image's files, and its environment."""

    path: Path
    environment: tuple[str, ...]


def flask_app(folder: Path) -> None:
    """An app of many modules; one of them is edited."""
    (folder / "pkg").mkdir(parents=True)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    lines = ("from flask import Flask", "from pkg import m000", "", "app = Flask(__name__)", "", "", '@app.get("/")')
    (folder / "app.py").write_text("\n".join((*lines, "def index():", "    return m000.word()", "")))
    (folder / "pkg" / "__init__.py").write_text("")
    for number in range(MODULES):
        text = "".join(
            f"def f{one}(a, b={one}):\n    total = a * {number} + b\n    for k in range({one}):\n"
            f"        total += len(str(k)) + {number}\n    return {{'n': total, 'items': [a, b, total]}}\n\n\n"
            for one in range(40)
        )
        (folder / "pkg" / f"m{number:03}.py").write_text(f"def word():\n    return 'first'\n\n\n{text}")


def edit(folder: Path, word: str) -> None:
    path = folder / "pkg" / "m000.py"
    path.write_text(re.sub(r"return '\w*'", f"return '{word}'", path.read_text(), count=1))


async def rebuilt(folder: Path, kind: str, make_image: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> Took:
    """Milliseconds from an edited file to the new image."""
    await make_image()
    took = []
    for number in range(rounds):
        edit(folder, f"{kind}{number}x{time.time_ns()}")
        begun = time.perf_counter()
        await make_image()
        took.append(1000 * (time.perf_counter() - begun))
    return Took(took)


async def rebuilt_anew(folder: Path, place: Path) -> Took:
    """The same, by a process that has just begun; without the start of its Python."""
    took = []
    for number in range(ROUNDS):
        edit(folder, f"p{number}x{time.time_ns()}")
        done = await run(sys.executable, "-c", _ANEW, str(folder), str(place), cwd=str(ROOT))
        took.append(float(done.stdout))
    return Took(took)


def megabytes(layout: Layout, manifest: str) -> float:
    """As a registry gets it."""
    layers = [descriptor_of(one) for one in layout.read_json(manifest)["layers"]]
    return sum(compressed(layout, layer).size for layer in layers) / 1e6


async def unpacked(layout: Layout, digest: str, scratch: Path) -> Root:
    """As a container sees it."""
    root = scratch / digest[-12:]
    root.mkdir()
    manifest = layout.read_json(digest)
    for layer in manifest["layers"]:
        await run("tar", "-xf", str(layout.path(layer["digest"])), "-C", str(root), timeout=120)
        for removed in list(root.rglob(".wh.*")):
            removed.with_name(removed.name.removeprefix(".wh.")).unlink(missing_ok=True)
            removed.unlink()
    (root / "dev" / "null").touch()
    settings = layout.read_json(manifest["config"]["digest"])["config"]
    return Root(root, tuple(settings["Env"]))


async def imported(roots: Mapping[str, Root]) -> dict[str, tuple[Took, Took]]:
    """Milliseconds of `import flask` as a user who may write nothing, by turns: on the clock, and of the processor."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in roots}
    for _ in range(TURNS):
        for name, root in roots.items():
            user = ("chroot", "--userspec=10001:10001", str(root.path), "/usr/bin/env", "-i", *root.environment)
            wall, processor = (await run(*user, "python", "-c", IMPORTS)).stdout.split()
            found[name].append((float(wall), float(processor)))
    return {name: (Took([one[0] for one in all_]), Took([one[1] for one in all_])) for name, all_ in found.items()}


async def started(roots: Mapping[str, Root]) -> dict[str, Took]:
    """Milliseconds from the start of gunicorn to the first 200, as a user who may write nothing but /tmp, by turns."""
    found: dict[str, list[float]] = {name: [] for name in roots}
    for _ in range(ROUNDS):
        for name, root in roots.items():
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            user = ("chroot", "--userspec=10001:10001", str(root.path), "/usr/bin/env", "-i", *root.environment)
            command = ("gunicorn", "--chdir", "/app", "--bind", f"127.0.0.1:{port}", "app:app")
            begun = time.perf_counter()
            child = await asyncio.create_subprocess_exec(*user, *command, stderr=asyncio.subprocess.DEVNULL)
            try:
                await first_answer(port)
                found[name].append(1000 * (time.perf_counter() - begun))
            finally:
                child.terminate()
                await child.wait()
    return {name: Took(took) for name, took in found.items()}


async def first_answer(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                line = await reader.readuntil(b"\r\n")
                writer.close()
                if b" 200 " in line:
                    return
            await asyncio.sleep(0.002)


async def answered(place: Path) -> dict[str, Took]:
    """Milliseconds from an edit to the new answer at the Service's address, one replica."""
    async with engine() as (state, flags):
        layout = Layout.create(state / "images" / "layout")
        await make(layout, DEBS)
        folder, guided = place / "watched", place / "rebuilt"
        for each in (folder, guided):
            flask_app(each)
            (each / "wherry.toml").write_text("replicas = 1\n")
        (guided / "Dockerfile").write_text(GUIDE)
        kubeconfig = state / "kubeconfig"
        return {
            "layers": Took(await edits.watched(folder, lambda word: edit(folder, word), flags, kubeconfig, TURNS)),
            "guide": Took(await edits.brought_up(guided, lambda word: edit(guided, word), flags, kubeconfig, ROUNDS)),
        }


@contextlib.asynccontextmanager
async def store() -> AsyncIterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="wherry-bench-images-", dir="/var/tmp"))  # a disk, not memory
    try:
        layout = Layout.create(path / "layout")
        await make(layout, DEBS)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def by_buildah(guided: Path, place: Path) -> str:
    built = await build(guided, reference="guided", store=place, builder="buildah", on_event=lambda event: None)
    return built.digest


async def by_docker(layout: Layout, place: Path, name: str) -> list[Figure]:
    """docker's BuildKit at the same edit; nothing where it is not installed."""
    if why := buildkit.missing():
        print(f"docker's BuildKit is not measured: {why}", file=sys.stderr)
        return []
    folder = place / "copied"
    flask_app(folder)
    with buildkit.builder(layout, RUNTIME_REFERENCE, folder, place) as docker:
        return (await rebuilt(folder, "d", docker.build)).figures(f"{name}, by docker's BuildKit")


async def figures() -> dict[str, list[Figure]]:
    async with store() as place, Workshop() as workshop:
        layout, folder, guided = Layout(place / "layout"), place / "app", place / "guided"
        flask_app(folder)
        flask_app(guided)
        (guided / "Dockerfile").write_text(GUIDE)
        app = described(folder)

        async def layered() -> str:
            built = await build_python(
                folder, app, reference="layered", store=place, on_event=lambda event: None, workshop=workshop
            )
            return built.digest

        name = "edit of one file of 200 to the image"
        ours = (await rebuilt(folder, "a", layered, TURNS)).figures(name)
        theirs = (await rebuilt(guided, "b", lambda: by_buildah(guided, place))).figures(name)
        ours += (await rebuilt_anew(folder, place)).figures(f"{name}, by a new process")
        theirs += await by_docker(layout, place, name)
        base = layout.find(RUNTIME_REFERENCE)
        assert base is not None, "it was made"
        ours.append(Figure("base image, compressed", megabytes(layout, base.digest), "MB"))
        images = {"ours": await layered(), "guide": await by_buildah(guided, place)}
        for found, digest in ((ours, images["ours"]), (theirs, images["guide"])):
            found.append(Figure("Flask image, compressed", megabytes(layout, digest), "MB"))
        (guided / "Dockerfile").write_text(SLIM)
        images["slim"] = await by_buildah(guided, place)
        roots = {which: await unpacked(layout, digest, place) for which, digest in images.items()}
        took = await imported(roots)
        for number, how in enumerate(("`import flask`", "`import flask`, processor time")):
            ours += took["ours"][number].figures(how)
            theirs += took["slim"][number].figures(how)
        for number, how in enumerate(("", ", processor time")):
            also = f"`import flask` of the guide's image on wherry's base, which has bytecode{how}"
            theirs += took["guide"][number].figures(also)
        starts = await started(roots)
        how = "start of gunicorn in it to the first 200"
        ours += starts["ours"].figures(how)
        theirs += starts["slim"].figures(how)
        changes = await answered(place)
        how = "edit of one file of 200 to the changed pod's answer"
        ours += changes["layers"].figures(how)
        theirs += changes["guide"].figures(how)
        return {"layers": ours, "buildah, uv's guide": theirs}


def described(folder: Path) -> App:
    paths: Sequence[Path] = [path for path in folder.rglob("*") if path.suffix in (".py", ".txt")]
    return detect({str(path.relative_to(folder)): path.read_text() for path in paths})


def write(text: str) -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{DOCUMENT} lacks the lines {BEGIN} and {END}")
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{DOCUMENT.name}")
    given = parser.parse_args()
    said = table(asyncio.run(figures()))
    print(said)
    if given.write:
        write(f"{machine({}).rstrip(' .')}.\n\n{said}")


if __name__ == "__main__":
    main()
