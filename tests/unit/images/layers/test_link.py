"""The folder's own distribution is there as an editable install has it, without anything of it being run."""

from pathlib import Path

import pytest

from wherry.images.detect.found import Dependencies
from wherry.images.layers.link import linked, version, wanted

SITE = "opt/venv/lib/python3.11/site-packages"
PROJECT = "[project]\nname = 'my-shop'\nversion = '2.5'\n[project.scripts]\nshop = 'shop.cli:main'\n"


def texts(folder: Path) -> dict[str, str]:
    return {one.name: one.data.decode() for one in linked(folder, "app", "3.11") if isinstance(one.data, bytes)}


def test_its_metadata_scripts_and_path_are_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    made = texts(tmp_path)
    assert made[f"{SITE}/my_shop.pth"] == "/app\n"
    assert made[f"{SITE}/my_shop-2.5.dist-info/METADATA"] == "Metadata-Version: 2.1\nName: my-shop\nVersion: 2.5\n"
    assert made[f"{SITE}/my_shop-2.5.dist-info/entry_points.txt"] == "[console_scripts]\nshop = shop.cli:main\n"
    assert made["opt/venv/bin/shop"].splitlines()[2] == "from shop.cli import main"
    assert "../../../bin/shop,sha256=" in made[f"{SITE}/my_shop-2.5.dist-info/RECORD"]


def test_modules_below_src_are_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "__init__.py").touch()
    assert texts(tmp_path)[f"{SITE}/my_shop.pth"] == "/app/src\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"PKG-INFO": "Name: a\nVersion: 1.2rc1\n", "pyproject.toml": "[project]\nversion = '9'"}, "1.2rc1"),
        ({"pyproject.toml": "[tool.poetry]\nversion = '0.4'"}, "0.4"),
        ({"setup.cfg": "[metadata]\nversion = 3.0\n"}, "3.0"),
        ({"setup.py": "setup(name='a', version='1.0')"}, "1.0"),
        ({"pyproject.toml": "[project]\ndynamic = ['version']"}, "0"),
    ],
)
def test_its_version_is_what_the_folder_says(files: dict[str, str], said: str) -> None:
    assert version(files) == said


def test_a_folder_without_a_name_has_none(tmp_path: Path) -> None:
    assert linked(tmp_path, "app", "3.11") == []


def test_an_app_whose_requirements_are_all_has_no_distribution() -> None:
    assert not wanted(Dependencies("requirements", "requirements.txt"))
    assert wanted(Dependencies("requirements", "requirements.txt", itself=True))
    assert wanted(Dependencies("pyproject", "pyproject.toml", build_system=True))
