"""What goes, what stays, and why; and the image that is made of the rest."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.unit.images.size.test_size import NAME, SITE, image, tar
from wherry.images.layout import Layout
from wherry.images.size.account import account
from wherry.images.size.entries import read
from wherry.images.slim.hook import NAME as NAME_OF_HOOK
from wherry.images.slim.hook import hooks
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


def planned(layout: Layout, keep: tuple[str, ...] = (), command: tuple[str, ...] = ()) -> list[Removal]:
    found = read(layout, NAME, wanted=is_source)
    return plan(account(found), found.texts, keep, command)


def paths_of(tmp_path: Path, more: dict[str, bytes | None], command: tuple[str, ...] = ()) -> set[str]:
    """What would go of FILES with more files, below site-packages."""
    removals = planned(image(tmp_path, tar({**FILES, **more})), command=command)
    return {one.path.removeprefix(f"{SITE}/") for one in removals}


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


def test_a_copy_within_another_package_is_none_of_the_installers(tmp_path: Path) -> None:
    vendor = f"{SITE}/shop/_vendor"
    more: dict[str, bytes | None] = {
        f"{vendor}/wheel/__init__.py": b"",
        f"{vendor}/wheel-1.dist-info/METADATA": META % b"wheel",
        f"{vendor}/wheel-1.dist-info/RECORD": b"wheel/__init__.py,,\n",
    }
    assert "shop/_vendor/wheel/__init__.py" not in paths_of(tmp_path, more)


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
    } | {LIST, f"{SITE}/{NAME_OF_HOOK}.py", f"{SITE}/{NAME_OF_HOOK}.pth"}
    config = layout.read_json(layout.read_json(made.digest)["config"]["digest"])
    digests = [layer["digest"] for layer in layout.read_json(made.digest)["layers"]]
    assert config["rootfs"]["diff_ids"] == digests
    assert len(config["history"]) == len(digests)
    with tarfile.open(layout.path(digests[-1])) as listed:
        text = listed.extractfile(LIST)
        assert text is not None
        assert len(text.read().splitlines()) == len(removals)
    assert sum(files for _, files, _ in summary(removals)) == made.files


def test_names_of_lazy_submodules_and_paths_beside_a_source_count_as_its_use(tmp_path: Path) -> None:
    lazy: dict[str, bytes | None] = {f"{SITE}/shop/__init__.py": b"LAZY = ['tests']\nfrom shop import testing\n"}
    assert not any("tests" in path for path in paths_of(tmp_path / "a", lazy))
    data: dict[str, bytes | None] = {f"{SITE}/shop/data.py": b"open(HERE + 'tests/data/big.json')"}
    assert "shop/tests/data/big.json" not in paths_of(tmp_path / "b", data)


def test_what_starts_the_image_counts_as_use(tmp_path: Path) -> None:
    assert "pip/__init__.py" not in paths_of(tmp_path / "a", {}, ("sh", "-c", "pip install -e . && serve"))
    assert "pip/__init__.py" not in paths_of(tmp_path / "b", {"app/start.sh": b"python -m pip check\nexec serve\n"})
    assert "shop/tests/__init__.py" not in paths_of(tmp_path / "c", {}, ("python", "-m", "shop.tests"))


def test_stubs_that_are_read_at_run_time_and_libraries_stay(tmp_path: Path) -> None:
    more: dict[str, bytes | None] = {f"{SITE}/shop/lazy.py": b"import lazy_loader", f"{SITE}/shop/tests/x.so": b"ELF"}
    assert not {"shop/core.pyi", "shop/tests/x.so"} & paths_of(tmp_path, more)


def test_what_others_are_hard_links_to_stays(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as writer:
        for name in ("usr/share/man/a", "usr/share/man/b"):
            member = tarfile.TarInfo(name)
            member.size = 2
            writer.addfile(member, io.BytesIO(b"ab"))
        link = tarfile.TarInfo("usr/bin/a")
        link.type, link.linkname = tarfile.LNKTYPE, "usr/share/man/a"
        writer.addfile(link)
    layout = image(tmp_path, out.getvalue())
    assert rewrite(layout, NAME, "localhost/slim:1", planned(layout)).files == 1
    with tarfile.open(
        layout.path(layout.read_json(layout.names()["localhost/slim:1"].digest)["layers"][0]["digest"])
    ) as left:
        assert left.getnames() == ["usr/share/man/a", "usr/bin/a"]


def test_an_import_of_what_went_says_how_to_keep_it(tmp_path: Path) -> None:
    root = tmp_path / SITE
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "__init__.py").write_text("")
    removals = [Removal(f"{SITE}/{path}", 1, "") for path in ("shop/tests/util.py", "pip/__init__.py", "pip/x/a.py")]
    for member in hooks(removals, {f"{SITE}/shop/tests", f"{SITE}/pip", f"{SITE}/pip/x"}):
        assert isinstance(member.data, bytes)
        (tmp_path / member.name).write_bytes(member.data)

    def imported(name: str) -> str:
        script = f"import site; site.addsitedir({str(root)!r}); import shop; import {name}"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
        return done.stderr.strip().rpartition("\n")[2]

    said = (
        "ModuleNotFoundError: No module named {!r}: removed by slimming. Keep it with `wherry image slim --keep /{}/`"
    )
    assert imported("shop.tests.util") == said.format("shop.tests", f"{SITE}/shop/tests")
    assert imported("pip.x.a") == said.format("pip", f"{SITE}/pip")
    assert imported("shop.none") == "ModuleNotFoundError: No module named 'shop.none'"


def test_a_folder_of_packages_that_nothing_is_left_in_goes_too(tmp_path: Path) -> None:
    layout = image(tmp_path, tar({f"{SITE}/shop/tests": None, "usr/share/doc": None, **FILES}))
    rewrite(layout, NAME, "localhost/slim:1", planned(layout))
    folders = {one.path for layer in read(layout, "localhost/slim:1").layers for one in layer.entries if one.directory}
    assert folders == {"usr/share/doc"}
