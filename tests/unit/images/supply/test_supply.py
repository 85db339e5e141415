"""Documents about an image: they repeat, name what is inside, and hang on the image by its digest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.images.layout import MANIFEST, Layout
from wherry.images.size.account import PackageSize, Report
from wherry.images.size.packages import Package
from wherry.images.supply.provenance import Build, provenance
from wherry.images.supply.referrers import attach, document, referrers
from wherry.images.supply.sbom import SPDX, cyclonedx, spdx

FLASK = Package("python", "flask", "3.0", ("werkzeug", "absent"))
WERKZEUG = Package("python", "werkzeug", "3.1")
LIBC = Package("debian", "libc6", "2.36-9+deb12u14")
DIGEST = "sha256:" + "a" * 64
REPORT = Report(
    "localhost/app:1",
    DIGEST,
    0,
    {},
    (),
    tuple(PackageSize(package, 1, 1, ()) for package in (FLASK, WERKZEUG, LIBC)),
    (),
    (),
)
CREATED = "2026-11-01T00:00:00Z"


def test_spdx_names_packages_and_who_depends_on_whom() -> None:
    made = spdx(REPORT, CREATED)
    names = {one["SPDXID"]: one["name"] for one in made["packages"]}
    assert sorted(names.values()) == ["flask", "libc6", "localhost/app:1", "werkzeug"]
    depends = [
        (names[one["spdxElementId"]], names[one["relatedSpdxElement"]])
        for one in made["relationships"]
        if one["relationshipType"] == "DEPENDS_ON"
    ]
    assert depends == [("flask", "werkzeug")]


def test_cyclonedx_has_the_same_by_package_url() -> None:
    made = cyclonedx(REPORT, CREATED)
    assert [one["purl"] for one in made["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14",
        "pkg:pypi/flask@3.0",
        "pkg:pypi/werkzeug@3.1",
    ]
    by_ref = {one["ref"]: one["dependsOn"] for one in made["dependencies"]}
    assert by_ref["pkg:pypi/flask@3.0"] == ["pkg:pypi/werkzeug@3.1"]


@pytest.mark.parametrize("make", [spdx, cyclonedx])
def test_the_same_image_gives_the_same_document(make: Callable[..., object]) -> None:
    turned = replace(REPORT, packages=tuple(reversed(REPORT.packages)))
    assert make(REPORT, CREATED) == make(turned, CREATED)
    assert make(replace(REPORT, digest="sha256:" + "b" * 64), CREATED) != make(REPORT, CREATED)


def test_provenance_names_subject_builder_and_materials() -> None:
    build = Build(builder="buildah 1.28.2", version="1", source="https://example.com/r", revision="c0ffee", dirty=True)
    made = provenance("localhost/app", DIGEST, replace(build, materials={"pkg:oci/base": DIGEST}))
    assert made["subject"] == [{"name": "localhost/app", "digest": {"sha256": "a" * 64}}]
    uris = [one["uri"] for one in made["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert uris == ["pkg:oci/base", "git+https://example.com/r?dirty"]
    with pytest.raises(ValueError, match="no digest"):
        provenance("x", "latest", build)


def test_artifacts_are_listed_for_their_image_once(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    subject = layout.put_json(MANIFEST, {"schemaVersion": 2})
    other = layout.put_json(MANIFEST, {"schemaVersion": 2, "annotations": {}})
    first = attach(layout, subject, SPDX, spdx(REPORT, CREATED), {"made": "now"})
    again = attach(layout, subject, SPDX, spdx(REPORT, CREATED), {"made": "now"})
    second = attach(layout, subject, "application/example", {"a": 1}, {})
    assert first == again
    assert {one.digest for one, _ in referrers(layout, subject)} == {first.digest, second.digest}
    assert [kind for _, kind in referrers(layout, subject, SPDX)] == [SPDX]
    assert document(layout, second) == {"a": 1}
    assert list(referrers(layout, other)) == []
