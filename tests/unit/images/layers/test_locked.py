import json
from pathlib import Path

import pytest

from wherry.images.detect.found import Dependencies
from wherry.images.errors import ImageError
from wherry.images.layers.install import Platform
from wherry.images.layers.locked import direct_needs, wanted

HERE = Platform("3.11", "amd64")


async def test_a_pipenv_lock_becomes_requirements_with_hashes(tmp_path: Path) -> None:
    one = {"version": "==3.1.2", "hashes": ["sha256:aa"], "extras": ["async"], "markers": "python_version > '3'"}
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {"flask": one}, "develop": {"pytest": {}}}))
    found = await wanted(tmp_path, Dependencies("pipenv", "Pipfile", "Pipfile.lock"), (), HERE, tmp_path / "cache")
    text = found.files[0].read_text()
    assert text == "flask[async]==3.1.2 ; python_version > '3' --hash=sha256:aa\n"
    assert found.words == ["-r", str(found.files[0]), "--require-hashes"]


async def test_a_server_that_the_lock_lacks_lifts_the_demand_for_hashes(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask==3.1.2 --hash=sha256:aa\n")
    found = await wanted(
        tmp_path, Dependencies("requirements", "requirements.txt"), ("gunicorn",), HERE, tmp_path / "cache"
    )
    assert found.words[-1].startswith("gunicorn")
    assert "--require-hashes" not in found.words


async def test_poetry_s_lock_holds_what_the_project_asks_for(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.poetry.dependencies]\npython = "^3.11"\nflask = "^3"\n')
    packages = "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n' for name, version in (("flask", "3.0.3"), ("x", "1"))
    )
    (tmp_path / "poetry.lock").write_text(packages)
    needs = Dependencies("poetry", "pyproject.toml", "poetry.lock")
    found = await wanted(tmp_path, needs, (), HERE, tmp_path / "cache")
    assert found.constraints is not None
    assert (found.files[0].read_text(), found.constraints.read_text()) == ("flask\n", "flask==3.0.3\nx==1\n")


async def test_the_key_changes_with_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r more.txt\n")
    needs = Dependencies("requirements", "requirements.txt")
    keys = set()
    for text in ("flask==3.1.1\n", "flask==3.1.2\n"):
        (tmp_path / "more.txt").write_text(text)
        keys.add((await wanted(tmp_path, needs, (), HERE, tmp_path / "cache")).key)
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("Pipfile.lock", "{", "no lock of pipenv"),
        ("Pipfile.lock", '{"default": {"x": {"git": "y"}}}', "x comes from no index"),
        ("requirements.txt", "-r requirements.txt\n", "include one another without an end"),
        ("requirements.txt", "-r absent.txt\n", r"absent\.txt: No such file"),
        ("requirements.txt", "-e .\n", "is no distribution"),
        ("poetry.lock", "[[package]\n", r"poetry\.lock: "),
    ],
)
async def test_locks_that_cannot_be_read_are_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    if name == "poetry.lock":
        (tmp_path / "pyproject.toml").write_text("")
    manager = {"Pipfile.lock": "pipenv", "requirements.txt": "requirements", "poetry.lock": "poetry"}[name]
    file = {"poetry": "pyproject.toml"}.get(manager, name)
    with pytest.raises(ImageError, match=says):
        await wanted(tmp_path, Dependencies(manager, file, name), (), HERE, tmp_path / "cache")


def test_poetry_s_own_table_is_read() -> None:
    table = {
        "python": "^3.11",
        "flask": "^3",
        "dev": {"version": "1", "optional": True},
        "sqlalchemy": {"extras": ["a"]},
    }
    assert list(direct_needs({"tool": {"poetry": {"dependencies": table}}})) == ["flask", "sqlalchemy[a]"]


async def test_a_distribution_in_another_folder_is_installed_from_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'lib'\nversion = '1'\n")
    app = tmp_path / "example"
    app.mkdir()
    (app / "requirements.txt").write_text("-e ..\nflask==3.1.2\n")
    found = await wanted(app, Dependencies("requirements", "requirements.txt"), (), HERE, tmp_path / "cache")
    assert found.files[0].read_text().split() == ["flask==3.1.2", str(tmp_path)]
    (tmp_path / "lib.py").write_text("x = 1\n")
    later = await wanted(app, Dependencies("requirements", "requirements.txt"), (), HERE, tmp_path / "cache")
    assert later.key != found.key


async def test_packages_that_are_only_imported_are_pinned_once(tmp_path: Path) -> None:
    needs = Dependencies("imports", names=frozenset(("flask", "jinja2")))
    found = await wanted(tmp_path, needs, ("gunicorn",), HERE, tmp_path / "cache")
    pins = found.files[0].read_text()
    assert "flask==" in pins
    assert "--hash=sha256:" in pins
    again = await wanted(tmp_path, needs, ("gunicorn",), HERE, tmp_path / "cache")
    assert again == found
