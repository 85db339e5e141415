"""Images made of a few files whose sums are known."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Layout
from wherry.images.size.account import Report, account
from wherry.images.size.entries import read
from wherry.images.size.tables import lines, plain, tree
from wherry.images.size.treemap import Area, squarify, svg
from wherry.images.size.waste import waste

SITE = "opt/venv/lib/python3.11/site-packages"
DPKG = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n"
SCRIPT = b"../../../bin/flask,,\n"
NAME = "localhost/app:1"


def tar(files: Mapping[str, bytes | None], *, compressed: bool = False) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as writer:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                member.size = len(data)
            writer.addfile(member, io.BytesIO(data or b""))
    return gzip.compress(out.getvalue()) if compressed else out.getvalue()


def image(folder: Path, *layers: bytes, annotations: dict[str, str] | None = None) -> Layout:
    layout = Layout.create(folder)
    diffs = [zlib.decompressobj(31).decompress(each) if each[:2] == b"\x1f\x8b" else each for each in layers]
    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(diff).hexdigest()}" for diff in diffs]},
        "history": [{"created_by": f"step {number}"} for number in range(len(layers))],
    }
    manifest = {
        "schemaVersion": 2,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [layout.put(LAYER, layer).to_json() for layer in layers],
        "annotations": annotations or {},
    }
    layout.name(NAME, layout.put_json(MANIFEST, manifest))
    return layout


@pytest.fixture
def report(tmp_path: Path) -> Report:
    base = {
        "usr/lib/libc.so.6": b"c" * 1000,
        "usr/share/doc/libc6/changelog": b"d" * 50,
        "var/lib/dpkg/status": DPKG.encode(),
        "var/lib/dpkg/info/libc6:amd64.list": b"/.\n/lib/libc.so.6\n",
        "old": None,
        "old/file": b"o" * 300,
    }
    flask = {
        f"{SITE}/flask/__init__.py": b"f" * 100,
        f"{SITE}/flask/__pycache__/__init__.cpython-311.pyc": b"p" * 150,
        f"{SITE}/flask-3.0.dist-info/METADATA": b"Name: Flask\nVersion: 3.0\nRequires-Dist: Werkzeug>=3\n",
        f"{SITE}/flask-3.0.dist-info/RECORD": b"flask/__init__.py,,\nflask-3.0.dist-info/METADATA,,\n" + SCRIPT,
        "opt/venv/bin/flask": b"s" * 20,
        f"{SITE}/werkzeug/__init__.py": b"w" * 70,
        f"{SITE}/werkzeug-3.dist-info/METADATA": b"Name: Werkzeug\nVersion: 3\nRequires-Dist: x ; extra == 'y'\n",
        f"{SITE}/werkzeug-3.dist-info/RECORD": b"werkzeug/__init__.py,,\n",
        "root/.cache/pip/http/x": b"x" * 400,
    }
    app = {"app/app.py": b"a" * 30, "old/.wh.file": b"", "opt/venv/bin/flask": b"S" * 25}
    layout = image(tmp_path, tar(base, compressed=True), tar(flask), tar(app))
    return account(read(layout, NAME))


def test_the_image_is_base_and_dependencies_and_app(report: Report) -> None:
    metadata = len(DPKG) + len("/.\n/lib/libc.so.6\n")
    assert report.parts["base"] == 1000 + 50 + metadata
    assert report.parts["app"] == 30 + 400
    assert report.visible == sum(file.size for file in report.files)
    assert report.total == sum(size for _, _, size, _ in report.layers)


def test_what_is_removed_or_written_again_is_counted_where_it_lies(report: Report) -> None:
    assert {(one.path, one.size, one.layer, one.by, one.removed) for one in report.hidden} == {
        ("old/file", 300, 0, 2, True),
        ("opt/venv/bin/flask", 20, 1, 2, False),
    }
    assert report.wasted == 320


def test_packages_own_their_files_bytecode_and_scripts(report: Report) -> None:
    sizes = {one.package.name: one for one in report.packages}
    flask = sizes["flask"]
    assert flask.files == 4
    assert flask.size == 100 + 150 + 25 + len("Name: Flask\nVersion: 3.0\nRequires-Dist: Werkzeug>=3\n")
    assert list(flask.wanted_by) == []
    assert list(sizes["werkzeug"].wanted_by) == ["flask"]
    assert sizes["libc6"].size == 1000


def test_waste_is_named_with_its_fix(report: Report) -> None:
    found = {one.code: one for one in waste(report)}
    assert found["pip-cache"].size == 400
    assert "--no-cache-dir" in found["pip-cache"].fix
    assert found["removed-later"].size == 300
    assert found["written-twice"].size == 20
    assert found["docs"].size == 50


def test_an_opaque_directory_hides_all_below_and_nothing_of_its_own_layer(tmp_path: Path) -> None:
    first = tar({"d": None, "d/a": b"1" * 10, "d/e/b": b"2" * 20})
    second = tar({"d/.wh..wh..opq": b"", "d/c": b"3" * 5})
    report = account(read(image(tmp_path, first, second), NAME))
    assert report.wasted == 30
    assert [file.path for file in report.files] == ["d/c"]


def test_the_build_may_say_how_many_layers_are_the_base(tmp_path: Path) -> None:
    layers = (tar({"a": b"1"}), tar({"b": b"22"}), tar({"c": b"333"}))
    layout = image(tmp_path, *layers, annotations={"org.wherry.base.layers": "2"})
    assert account(read(layout, NAME)).parts == {"base": 3, "dependencies": 0, "app": 3}


def test_table_tree_json_and_picture_tell_the_same(report: Report) -> None:
    text = "\n".join(lines(report))
    assert "flask 3.0" in text
    assert "step 2" in text
    assert any(line.endswith("site-packages") for line in tree(report, depth=6))
    assert plain(report)["size"]["hidden"] == 320
    picture = ElementTree.fromstring(svg(report))
    titles = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert "flask: 360 B" not in titles
    assert any(title and title.startswith("flask: ") for title in titles)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=40))
def test_boxes_fill_the_picture_in_proportion(sizes: list[int]) -> None:
    boxes = squarify([Area(str(size), "app", size) for size in sorted(sizes, reverse=True)], 0, 0, 960, 540)
    assert len(boxes) == len(sizes)
    for box in boxes:
        share = box.width * box.height / (960 * 540)
        assert share == pytest.approx(box.area.size / sum(sizes), rel=1e-6)
        assert box.x >= -1e-6
        assert box.x + box.width <= 960 + 1e-6
        assert box.y + box.height <= 540 + 1e-6


def test_a_damaged_layer_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = tar({"a": b"1" * 5000}, compressed=True)
    with pytest.raises(ImageError, match=r"layer sha256:.* cannot be read"):
        read(image(tmp_path, whole[: len(whole) // 2]), NAME)


def test_an_image_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is not in"):
        read(Layout.create(tmp_path), "localhost/none:1")


def test_files_are_owned_by_packages_of_an_image_without_a_package_manager(tmp_path: Path) -> None:
    described = "var/lib/dpkg/status.d/libc6"
    sums = b"00000000000000000000000000000000  lib/x86_64/libc.so.6\n"
    layer = {"usr/lib/x86_64/libc.so.6": b"1" * 90, described: DPKG.encode(), f"{described}.md5sums": sums}
    report = account(read(image(tmp_path, tar(layer)), NAME))
    assert [(one.package.name, one.files) for one in report.packages] == [("libc6", 3)]
