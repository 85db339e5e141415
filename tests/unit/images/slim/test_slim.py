"""What goes, what stays, and why; and the image that is made of the rest."""

import tarfile
from pathlib import Path

from tests.unit.images.size.test_size import NAME, SITE, image, tar
from wherry.images.layout import Layout
from wherry.images.size.account import account
from wherry.images.size.entries import read
from wherry.images.slim.plan import Removal, is_source, plan, summary
from wherry.images.slim.rewrite import LIST, rewrite

META = b"Name: %s\nVersion: 1\n"
FILES: dict[str, bytes | None] = {
    "opt/venv/lib/python3.11/ensurepip/__init__.py": b"import pip",
    f"{SITE}/shop/__init__.py": b"from shop import testing\n",
    f"{SITE}/shop/testing/__init__.py": b"from shop.more.tests import helper\n",
    f"{SITE}/shop/more/tests/__init__.py": b"",
    f"{SITE}/shop/more/tests/helper.py": b"x = 1",
    f"{SITE}/shop/tests/__init__.py": b"import shop.unused.tests",
    f"{SITE}/shop/tests/data/big.json": b"1" * 500,
    f"{SITE}/shop/plugin/tests/__init__.py": b"",
    f"{SITE}/shop/named/tests/__init__.py": b"",
    f"{SITE}/shop/loader.py": b"NAME = 'shop.named.tests'",
    f"{SITE}/shop/core.pyi": b"x: int",
    f"{SITE}/shop/include/core.h": b"int x;",
    f"{SITE}/shop-1.dist-info/METADATA": META % b"shop",
    f"{SITE}/shop-1.dist-info/entry_points.txt": b"[shop]\na = shop.plugin.tests:run\n",
    f"{SITE}/shop-1.dist-info/RECORD": b"",
    f"{SITE}/pip/__init__.py": b"import setuptools",
    f"{SITE}/pip-1.dist-info/METADATA": META % b"pip",
    f"{SITE}/pip-1.dist-info/RECORD": b"pip/__init__.py,,\npip-1.dist-info/METADATA,,\n",
    "root/.cache/pip/x": b"1" * 9,
    "usr/share/doc/libc6/copyright": b"c",
    "usr/share/doc/libc6/changelog": b"c",
}
APP: dict[str, bytes | None] = {"app/app.py": b"import shop", "app/tests/test_app.py": b"import shop.tests"}


def planned(layout: Layout, keep: tuple[str, ...] = ()) -> list[Removal]:
    found = read(layout, NAME, wanted=is_source)
    return plan(account(found), found.texts, keep)


def test_what_nothing_names_goes_with_its_reason(tmp_path: Path) -> None:
    removals = {one.path.removeprefix(f"{SITE}/"): one.why for one in planned(image(tmp_path, tar(FILES)))}
    assert sorted(removals) == [
        "pip-1.dist-info/METADATA",
        "pip/__init__.py",
        "root/.cache/pip/x",
        "shop/core.pyi",
        "shop/include/core.h",
        "shop/tests/__init__.py",
        "shop/tests/data/big.json",
        "usr/share/doc/libc6/changelog",
    ]
    assert "no module outside of them names shop.tests" in removals["shop/tests/data/big.json"]


def test_what_the_app_imports_stays(tmp_path: Path) -> None:
    paths = {one.path for one in planned(image(tmp_path, tar(FILES), tar(APP)))}
    assert f"{SITE}/shop/tests/data/big.json" not in paths
    assert f"{SITE}/shop/core.pyi" in paths


def test_headers_stay_where_something_compiles(tmp_path: Path) -> None:
    compiling = {**FILES, f"{SITE}/shop/jit.py": b"import numba"}
    assert f"{SITE}/shop/include/core.h" not in {one.path for one in planned(image(tmp_path, tar(compiling)))}


def test_what_is_to_be_kept_is_kept(tmp_path: Path) -> None:
    paths = {one.path for one in planned(image(tmp_path, tar(FILES)), (f"/{SITE}/shop/",))}
    assert not any("/shop/" in path for path in paths)


def test_the_new_image_lacks_just_these_files_and_lists_them(tmp_path: Path) -> None:
    layout = image(tmp_path, tar(FILES), tar(APP))
    removals = planned(layout)
    made = rewrite(layout, NAME, "localhost/slim:1", removals)
    again = rewrite(layout, NAME, "localhost/slim:2", removals)
    assert made.digest == again.digest
    before, after = read(layout, NAME), read(layout, "localhost/slim:1")
    assert after.layers[1].digest == before.layers[1].digest
    paths = {entry.path for layer in after.layers for entry in layer.entries}
    assert paths == {entry.path for layer in before.layers for entry in layer.entries} - {
        one.path for one in removals
    } | {LIST}
    config = layout.read_json(layout.read_json(made.digest)["config"]["digest"])
    digests = [layer["digest"] for layer in layout.read_json(made.digest)["layers"]]
    assert config["rootfs"]["diff_ids"] == digests
    assert len(config["history"]) == len(digests)
    with tarfile.open(layout.path(digests[-1])) as listed:
        text = listed.extractfile(LIST)
        assert text is not None
        assert len(text.read().splitlines()) == len(removals)
    assert sum(files for _, files, _ in summary(removals)) == made.files
