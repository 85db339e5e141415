"""`check`, `init` and `image` as somebody types them, without a node."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.images.size.test_size import image, tar
from wherry.cli import main
from wherry.images.layout import Layout

ARTICLE = Path("examples/article")
FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def wherry(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="wherry")


def test_the_articles_folder_gets_what_a_reviewer_would_say() -> None:
    done = wherry("check", str(ARTICLE), "-o", "json")
    assert done.exit_code == 6
    rules = {one["rule"] for one in json.loads(done.stdout)}
    assert {"D03", "D05", "D07", "D17", "D21", "M03", "M06", "M11", "M13", "X10"} <= rules
    assert wherry("check", str(ARTICLE), "--fail-on", "never").exit_code == 0


def test_fix_does_what_is_safe_and_says_so(tmp_path: Path) -> None:
    folder = shutil.copytree(ARTICLE, tmp_path / "app")
    done = wherry("check", str(folder), "--fix")
    assert "Dockerfile: fixed" in done.stderr
    assert "--no-cache-dir" in (folder / "Dockerfile").read_text()
    assert ".git" in (folder / ".dockerignore").read_text().splitlines()
    assert "--fix does it" not in done.stdout
    assert "fixed" not in wherry("check", str(folder), "--fix").stderr


def test_the_examples_own_webapp_passes() -> None:
    done = wherry("check", "examples/webapp", "--fail-on", "warning")
    assert done.exit_code == 0, done.stdout


def test_sarif_is_what_code_hosts_read() -> None:
    report = json.loads(wherry("check", str(ARTICLE), "-o", "sarif").stdout)
    assert report["version"] == "2.1.0"
    assert report["runs"][0]["results"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "nowhere"], "there is no such folder"),
        (["check", "docs"], "neither a Dockerfile nor a manifest"),
        (["init", "docs"], "nothing here says what the app is"),
        (["init", "--from-compose", "README.md"], "README.md"),
    ],
)
def test_what_cannot_be_done_says_why(words: list[str], says: str) -> None:
    done = wherry(*words)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_three_files_once(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    (tmp_path / "requirements.txt").write_text("flask==3.1.0\n")
    first = wherry("init", str(tmp_path), "--name", "shop")
    assert first.exit_code == 0
    assert "flask, app:app" in first.stderr
    assert {"wherry.toml", "Dockerfile", ".dockerignore"} <= {path.name for path in tmp_path.iterdir()}
    (tmp_path / "Dockerfile").write_text("FROM mine:1\n")
    second = wherry("init", str(tmp_path))
    assert second.stderr.count("kept") == 3
    assert (tmp_path / "Dockerfile").read_text() == "FROM mine:1\n"


def test_compose_becomes_manifests_with_a_line_for_each_key(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_text("services: {web: {image: 'x:1', ports: ['80:80'], depends_on: [db]}}\n")
    done = wherry("init", "--from-compose", str(file))
    assert done.exit_code == 0
    assert "mapped   services.web.ports" in done.stderr
    assert "dropped  services.web.depends_on" in done.stderr
    assert "kind: Deployment" in (tmp_path / "k8s" / "web.yaml").read_text()


def test_images_are_listed_measured_saved_and_removed(tmp_path: Path) -> None:
    layout = image(tmp_path / "images" / "layout", tar({"a": b"1" * 1000}))
    state = ("--state", str(tmp_path), "--run-dir", str(tmp_path / "run"))
    assert json.loads(wherry("image", "ls", "-o", "json", *state).stdout)[0]["name"] == "localhost/app:1"
    assert (
        json.loads(wherry("image", "size", "localhost/app:1", "-o", "json", *state).stdout)["size"]["visible"] == 1000
    )
    assert wherry("image", "size", "localhost/app:1", "-o", "svg", *state).stdout.startswith("<svg")
    archive = tmp_path / "app.tar"
    assert wherry("image", "save", "localhost/app:1", str(archive), *state).exit_code == 0
    with tarfile.open(archive) as saved:
        assert "index.json" in saved.getnames()
    removed = wherry("image", "rm", "localhost/app:1", *state)
    assert "localhost/app:1 removed" in removed.stdout
    assert list(layout.blobs.iterdir()) == []
    loaded = wherry("image", "load", str(archive), *state)
    assert loaded.exit_code == 0, loaded.stderr
    assert list(Layout(layout.directory).names()) == ["localhost/app:1"]
    gone = wherry("image", "rm", "localhost/none:1", *state)
    assert (gone.exit_code, "is not here" in gone.stderr) == (1, True)


def test_an_sbom_can_be_attached(tmp_path: Path) -> None:
    layout = image(tmp_path / "images" / "layout", tar({"a": b"1"}))
    state = ("--state", str(tmp_path), "--run-dir", str(tmp_path / "run"))
    done = wherry("image", "sbom", "localhost/app:1", "--attach", *state)
    assert json.loads(done.stdout)["spdxVersion"] == "SPDX-2.3"
    assert sum(name.startswith("sha256-") for name in layout.names()) == 1


def test_what_was_attached_goes_with_its_image(tmp_path: Path) -> None:
    layout = image(tmp_path / "images" / "layout", tar({"a": b"1"}))
    state = ("--state", str(tmp_path), "--run-dir", str(tmp_path / "run"))
    assert wherry("image", "sbom", "localhost/app:1", "--attach", *state).exit_code == 0
    assert wherry("image", "rm", "localhost/app:1", *state).exit_code == 0
    assert layout.names() == {}
    assert list(layout.blobs.iterdir()) == []


def test_wishes_that_exclude_each_other_are_told(tmp_path: Path) -> None:
    image(tmp_path / "images" / "layout", tar({"a": b"1"}))
    state = ("--state", str(tmp_path), "--run-dir", str(tmp_path / "run"))
    both = wherry("image", "base", "--check", "--refresh", *state)
    assert (both.exit_code, "three different wishes" in both.output) == (2, True)
    broken = tmp_path / "base.lock"
    broken.write_text("{}")
    assert "is no lock of a base image" in wherry("image", "base", "--from-lock", str(broken), *state).output
    assert "which image?" in wherry("image", "rebase", "--onto", "localhost/app:1", *state).output
    dry = wherry("image", "slim", "localhost/app:1", "--dry-run", "-o", "json", *state)
    assert json.loads(dry.stdout) == {"reference": "localhost/app:1", "removals": []}
