"""After edits the layers are those of a build from nothing, and what lies on top of them has the same files."""

import os
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.images import lend_python
from wherry.images.layers import application, on_top
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layers.workshop import Workshop
from wherry.images.layout import Layout

pytestmark = pytest.mark.root


async def test_edits_give_the_layer_that_a_first_build_gives(tmp_path: Path) -> None:
    """Whatever is done to the folder: what is taken from the layer before is what would be made anew."""
    store = tmp_path / "store"
    layout = Layout.create(store / "layout")
    await lend_python(layout)
    folder = tmp_path / "app"
    (folder / "pkg").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / "pkg" / f"{name}.py").write_text(f"{name} = 1\n")
    (folder / "large.bin").write_bytes(b"x" * (5 << 20))
    edits: list[Callable[[], object]] = [
        lambda: None,
        lambda: (folder / "pkg/a.py").write_text("a = 2\n"),
        lambda: (folder / "pkg/b.py").unlink(),
        lambda: (folder / "pkg/c.py").rename(folder / "pkg/d.py"),
        lambda: (folder / "pkg/d.py").chmod(0o755),
        lambda: (folder / "x.py").write_text("def broken(:\n"),
        lambda: (folder / "link").symlink_to(folder / "pkg"),
        lambda: (folder / ".dockerignore").write_text("large.bin\n"),
        lambda: (folder / "pkg/a.py").write_text("a = 3\n"),
    ]
    app = PythonApp(folder=folder, command=("python", "pkg/a.py"))
    seen = set()
    for edit in edits:
        edit()
        os.utime(folder / "pkg/a.py", (1e9, 1e9))  # its time and size tell nothing
        built = await build_layers(app, reference="app", store=store)
        seen.add(built.digest)
        (note,) = (store / "cache" / "apps").glob("*.json")
        kept = note.read_bytes()
        note.unlink()
        assert (await build_layers(app, reference="app", store=store)).digest == built.digest
        note.write_bytes(kept)
    assert len(seen) == len(edits)


def change(folder: Path, dice: random.Random) -> None:
    """One edit, new file, rename, change of mode, link or removal."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "requirements.txt")
    path = dice.choice(files)
    fresh = (
        folder / dice.choice(("", "pkg", "pkg/deep", "static")) / f"m{dice.randrange(20)}{dice.choice(('.py', '.css'))}"
    )
    match dice.randrange(6):
        case 0:
            path.write_text(f"x = {dice.random()}\n")
        case 1:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.write_text(f"def f():\n    return {dice.random()}\n")
        case 2:
            path.rename(path.with_name(f"r{dice.randrange(20)}.py"))
        case 3:
            path.chmod(dice.choice((0o644, 0o755)))
        case 4:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(path)
        case _ if len(files) > 3:
            for each in files:
                if each.is_symlink() and each.resolve() == path.resolve():
                    each.unlink()
            path.unlink(missing_ok=True)


async def test_whatever_is_edited_the_image_is_that_of_a_build_from_nothing(tmp_path: Path) -> None:
    """By a warm process, by the note on the disk alone, and without either."""
    store, cold = tmp_path / "store", tmp_path / "cold"
    for each in (store, cold):
        await lend_python(Layout.create(each / "layout"))
    folder = tmp_path / "app"
    folder.mkdir()
    for number in range(5):
        (folder / f"m{number}.py").write_text(f"x = {number}\n")
    app = PythonApp(folder=folder, command=("python",))
    dice = random.Random(20)
    async with Workshop() as warm:
        for number in range(40):
            for _ in range(dice.randrange(1, 4)):
                change(folder, dice)
            for link in [path for path in folder.rglob("*") if path.is_symlink() and not path.exists()]:
                link.unlink()
            built = await build_layers(app, reference="app", store=store, workshop=warm)
            if number % 8 == 0:
                assert (await build_layers(app, reference="app", store=store)).digest == built.digest
            shutil.rmtree(cold / "cache" / "apps", ignore_errors=True)
            async with Workshop() as other:
                whole = await build_layers(app, reference="app", store=cold, workshop=other)
            assert whole.digest == built.digest, number


def merged(layout: Layout, layers: list[dict[str, str]]) -> dict[str, tuple[object, ...]]:
    """What a container finds of these layers: each path's kind, mode, time, link and content."""
    found: dict[str, tuple[object, ...]] = {}
    for layer in layers:
        with tarfile.open(layout.path(layer["digest"])) as archive:
            entries = archive.getmembers()
            removed = [one.name.replace(".wh.", "") for one in entries if "/.wh." in one.name]
            replaced = [one.name for one in entries if not one.isdir()]
            found = {
                name: value
                for name, value in found.items()
                if not any(name == each or name.startswith(f"{each}/") for each in (*removed, *replaced))
            }
            for one in entries:
                if "/.wh." not in one.name:
                    data = archive.extractfile(one) if one.isfile() else None
                    found[one.name] = (one.type, one.mode, one.mtime, one.linkname, data and data.read())
    return found


async def test_changes_on_top_are_the_files_of_a_build_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_top, "LEAST", 0)
    store, cold = tmp_path / "store", tmp_path / "cold"
    for each in (store, cold):
        await lend_python(Layout.create(each / "layout"))
    folder = tmp_path / "app"
    (folder / "pkg" / "deep").mkdir(parents=True)
    for number in range(5):
        (folder / f"m{number}.py").write_text(f"x = {number}\n")
    app = PythonApp(folder=folder, command=("python",))
    dice = random.Random(21)
    async with Workshop(changes_on_top=True) as workshop:
        first = Layout(store / "layout").read_json(
            (await build_layers(app, reference="app", store=store, workshop=workshop)).digest
        )["layers"]
        for number in range(24):
            for _ in range(dice.randrange(1, 3)):
                change(folder, dice)
            if number % 10 == 3:
                shutil.rmtree(folder / "pkg", ignore_errors=True)
            swapped = folder / "swapped"
            if number % 10 == 5:
                shutil.rmtree(swapped, ignore_errors=True)
                swapped.write_text("a file in a directory's place")
            if number % 10 == 7:
                swapped.unlink(missing_ok=True)
                (swapped / "new").mkdir(parents=True)
            for link in [path for path in folder.rglob("*") if path.is_symlink() and not path.exists()]:
                link.unlink()
            built = await build_layers(app, reference="app", store=store, workshop=workshop)
            layers = Layout(store / "layout").read_json(built.digest)["layers"]
            assert layers[: len(first)] == first, "they stay, and need not be unpacked again"
            shutil.rmtree(cold / "cache" / "apps", ignore_errors=True)
            async with Workshop() as other:
                whole = await build_layers(app, reference="app", store=cold, workshop=other)
            anew = Layout(cold / "layout").read_json(whole.digest)["layers"]
            own = len(first) - 1  # the app's layers come last
            assert merged(Layout(store / "layout"), layers[own:]) == merged(Layout(cold / "layout"), anew[own:]), number


async def test_many_changes_are_a_whole_layer_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_top, "LEAST", 0)
    monkeypatch.setattr(application, "_RACE", 0)  # else what was just written is read again
    layout = Layout.create(tmp_path / "store" / "layout")
    await lend_python(layout)
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "m.py").write_text("x = 1\n")
    app = PythonApp(folder=folder, command=("python",))
    counts = []
    async with Workshop(changes_on_top=True) as workshop:
        for number in (0, 5, 300, 1):
            for name in range(number):
                (folder / f"n{number}-{name}.txt").write_text("x")
            built = await build_layers(app, reference="app", store=tmp_path / "store", workshop=workshop)
            counts.append(len(layout.read_json(built.digest)["layers"]))
    assert [count - counts[0] for count in counts] == [0, 1, 0, 1]
