"""Software bills of materials from the packages' own metadata. Pure: the same image gives the same document."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from wherry.images.size.account import Report
from wherry.images.size.packages import Package

SPDX = "application/spdx+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
EPOCH = "1970-01-01T00:00:00Z"  # of images that do not say when they were made


def purl(package: Package) -> str:
    """The package's URL (package-url specification)."""
    if package.kind == "python":
        return f"pkg:pypi/{package.name}@{package.version}"
    return f"pkg:deb/debian/{package.name}@{package.version.replace(':', '%3A').replace('+', '%2B')}"


def spdx(report: Report, created: str) -> dict[str, Any]:
    """SPDX 2.3. `created` is an RFC 3339 time: the image's own, so that the document repeats."""
    root = "SPDXRef-image"
    packages = _sorted(report)
    elements = [
        {
            "SPDXID": _spdx_id(package),
            "name": package.name,
            "versionInfo": package.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": purl(package),
                }
            ],
        }
        for package in packages
    ]
    image = {
        "SPDXID": root,
        "name": report.reference,
        "versionInfo": report.digest,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "CONTAINER",
    }
    relations = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", root)]
    relations += [_relation(root, "CONTAINS", _spdx_id(package)) for package in packages]
    relations += [_relation(_spdx_id(one), "DEPENDS_ON", _spdx_id(other)) for one, other in _dependencies(packages)]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": report.reference,
        "documentNamespace": f"urn:uuid:{_uuid(report)}",
        "creationInfo": {"created": created, "creators": ["Tool: wherry"]},
        "packages": [image, *elements],
        "relationships": relations,
    }


def cyclonedx(report: Report, created: str) -> dict[str, Any]:
    """CycloneDX 1.6."""
    packages = _sorted(report)
    root = f"image:{report.digest}"
    image = {"type": "container", "bom-ref": root, "name": report.reference, "version": report.digest}
    wanted: dict[str, list[str]] = {purl(package): [] for package in packages}
    for one, other in _dependencies(packages):
        wanted[purl(one)].append(purl(other))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_uuid(report)}",
        "version": 1,
        "metadata": {
            "timestamp": created,
            "tools": {"components": [{"type": "application", "name": "wherry"}]},
            "component": image,
        },
        "components": [
            {
                "type": "library",
                "bom-ref": purl(package),
                "name": package.name,
                "version": package.version,
                "purl": purl(package),
            }
            for package in packages
        ],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(wanted)},
            *({"ref": ref, "dependsOn": sorted(needs)} for ref, needs in sorted(wanted.items())),
        ],
    }


def _sorted(report: Report) -> list[Package]:
    """Each package once: the same distribution may lie in two folders."""
    found = {purl(one.package): one.package for one in report.packages}
    return [found[each] for each in sorted(found)]


def _dependencies(packages: Sequence[Package]) -> list[tuple[Package, Package]]:
    by_name = {(package.kind, package.name): package for package in packages}
    pairs = [
        (package, by_name[package.kind, need])
        for package in packages
        for need in sorted(set(package.needs))
        if (package.kind, need) in by_name and need != package.name
    ]
    return sorted(pairs, key=lambda pair: (purl(pair[0]), purl(pair[1])))


def _spdx_id(package: Package) -> str:
    name = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in package.name)
    mark = hashlib.sha256(purl(package).encode()).hexdigest()[:8]
    return f"SPDXRef-{package.kind}-{name}-{mark}"


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _uuid(report: Report) -> UUID:
    """A name for the document that hangs on the image's digest alone."""
    return UUID(bytes=hashlib.sha256(f"wherry sbom {report.digest}".encode()).digest()[:16], version=5)
