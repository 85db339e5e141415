import subprocess
from pathlib import Path

import pytest

from tests.unit.images.size.test_size import NAME, image, tar
from wherry.images.layout import Layout
from wherry.images.supply.attest import Made, Source, attach_provenance, attach_sbom, source_of, without_credentials
from wherry.images.supply.provenance import IN_TOTO
from wherry.images.supply.referrers import document, referrers
from wherry.images.supply.sbom import SPDX

BASE = f"sha256:{'b' * 64}"
NOTES = {"org.opencontainers.image.base.name": "localhost/base:1", "org.opencontainers.image.base.digest": BASE}


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


async def test_the_commit_is_told_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    assert await source_of(tmp_path) == Source()
    git(tmp_path, "init", "-q")
    (tmp_path / "app.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "remote", "add", "origin", "https://me:secret@example.com/app.git")
    clean = await source_of(tmp_path)
    assert (clean.address, clean.dirty, len(clean.revision)) == ("https://example.com/app.git", False, 40)
    (tmp_path / "app.py").write_text("2")
    assert (await source_of(tmp_path)).dirty


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://u:p@h:1/x", "https://h:1/x"),
        ("git@h:x/y.git", "git@h:x/y.git"),
        ("https://h/x", "https://h/x"),
        ("", ""),
    ],
)
def test_no_password_is_told(address: str, told: str) -> None:
    assert without_credentials(address) == told


def test_both_documents_hang_on_the_image(tmp_path: Path) -> None:
    layout: Layout = image(tmp_path, tar({"a": b"1"}), annotations=NOTES)
    built = layout.find(NAME)
    assert built is not None
    attach_sbom(layout, NAME, built)
    source = Source(address="https://example.com/app.git", revision="c" * 40, dirty=True)
    attach_provenance(layout, NAME, built, Made(builder="wherry build", source=source, parameters={"target": "run"}))
    found = {kind: document(layout, one) for one, kind in referrers(layout, built)}
    assert set(found) == {SPDX, IN_TOTO}
    definition = found[IN_TOTO]["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [
        {"uri": "pkg:docker/localhost/base:1", "digest": {"sha256": "b" * 64}},
        {"uri": "git+https://example.com/app.git?dirty", "digest": {"gitCommit": "c" * 40}},
    ]
    assert definition["externalParameters"] == {"target": "run"}
