"""Build provenance: SLSA 1.0 in an in-toto statement. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IN_TOTO = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://wherry.dev/build/v1"


@dataclass(frozen=True, kw_only=True)
class Build:
    """What is known of a build. `materials` are what went in: name -> digest as `sha256:...`."""

    builder: str  # "buildah 1.28.2", "wherry layers 1"
    version: str  # of wherry
    source: str = ""  # a repository's address
    revision: str = ""  # its commit
    dirty: bool = False  # files differed from that commit
    parameters: Mapping[str, str] = field(default_factory=dict)
    materials: Mapping[str, str] = field(default_factory=dict)


def provenance(name: str, digest: str, build: Build) -> dict[str, Any]:
    """The statement for an image by its name and digest. Raises ValueError where a digest is none."""
    resolved = [{"uri": uri, "digest": _digest(value)} for uri, value in sorted(build.materials.items())]
    if build.revision:
        mark = "?dirty" if build.dirty else ""
        resolved.append({"uri": f"git+{build.source or 'file:.'}{mark}", "digest": {"gitCommit": build.revision}})
    return {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": _digest(digest)}],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(sorted(build.parameters.items())),
                "resolvedDependencies": resolved,
            },
            "runDetails": {"builder": {"id": BUILD_TYPE, "version": {"wherry": build.version, "by": build.builder}}},
        },
    }


def _digest(value: str) -> dict[str, str]:
    algorithm, colon, digits = value.partition(":")
    if not colon or not digits:
        raise ValueError(f"{value!r} is no digest")
    return {algorithm: digits}
