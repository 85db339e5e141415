"""D01, D11, D15, D21: the base image and the builder."""

from collections.abc import Iterator, Mapping
from datetime import date

from wherry.images.check.dockerfile import Dockerfile, Stage, variables
from wherry.images.check.finding import Finding, Level
from wherry.images.check.folder import Builder, Folder

# What gained which feature when, by the release notes of both and of the BuildKit that is in docker's daemon. Its
# releases with the feature behind a `# syntax=...-labs` alone do not count.
_SINCE: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "buildah": {
        "heredoc": (1, 33),
        "HEALTHCHECK --start-interval": (1, 37),
        "COPY --exclude": (1, 38),
        "COPY --parents": (1, 40),
        "COPY --link": (1, 41),
    },
    "docker": {
        "heredoc": (23,),
        "COPY --link": (23,),
        "RUN --network": (23,),
        "ADD --checksum": (25,),
        "ADD --keep-git-dir": (25,),
        "HEALTHCHECK --start-interval": (25,),
        "COPY --exclude": (29,),
        "COPY --parents": (29, 1),
        "RUN --security": (29, 1),
    },
}

# The last day of security fixes, by the projects' own calendars.
ENDS = {
    "python": {
        "2.7": date(2020, 1, 1),
        "3.6": date(2021, 12, 23),
        "3.7": date(2023, 6, 27),
        "3.8": date(2024, 10, 7),
        "3.9": date(2025, 10, 31),
        "3.10": date(2026, 10, 31),
        "3.11": date(2027, 10, 31),
        "3.12": date(2028, 10, 31),
        "3.13": date(2029, 10, 31),
        "3.14": date(2030, 10, 31),
    },
    "node": {
        "14": date(2023, 4, 30),
        "16": date(2023, 9, 11),
        "18": date(2025, 4, 30),
        "20": date(2026, 4, 30),
        "22": date(2027, 4, 30),
        "24": date(2028, 4, 30),
    },
    "debian": {"9": date(2022, 6, 30), "10": date(2024, 6, 30), "11": date(2026, 8, 31), "12": date(2028, 6, 30)},
    "ubuntu": {"18.04": date(2023, 5, 31), "20.04": date(2025, 5, 31), "22.04": date(2027, 4, 30)},
}
_CODENAMES = {"stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "bionic": "18.04", "focal": "20.04"}


def split(image: str) -> tuple[str, str, str]:
    """Repository, tag, digest; what is not there is "" ."""
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{head}{slash}{last}", tag, digest


def outer_bases(file: Dockerfile) -> Iterator[Stage]:
    """The stages whose base is an image, not an earlier stage."""
    for stage in file.stages:
        below = file.stage(stage.base)
        if stage.base.lower() != "scratch" and (below is None or below.index >= stage.index):
            yield stage


def unpinned_base(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D01: a base that changes without an edit."""
    for stage in outer_bases(file):
        repository, tag, digest = split(stage.base)
        if digest or not repository or tag not in ("", "latest"):
            continue
        yield Finding(
            rule="D01",
            level=Level.ERROR,
            file=file.path,
            line=stage.start.line,
            message=f"the base {repository} has {'the tag latest' if tag else 'no tag'}",
            cost="the build changes, or breaks, without an edit",
            fix=f"name a version: FROM {repository}:VERSION, best with its digest",
        )


def unknown_feature(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D11: what the builder at hand cannot read."""
    builder = folder.builder
    if "syntax" in file.directives:
        yield Finding(
            rule="D11",
            level=Level.NOTE,
            file=file.path,
            line=1,
            message="# syntax= makes BuildKit pull a frontend from a registry before it builds",
            cost="a build without that registry fails, and each build asks it",
            fix="take the line out, unless it names a frontend that you need",
        )
    if builder is None or (builder.name == "docker" and "syntax" in file.directives):
        return
    for stage in file.stages:
        for one in stage.instructions:
            used = [f"{one.name} --{flag}" for flag, _ in one.flags] + (["heredoc"] if one.heredocs else [])
            for feature in used:
                since = _since(feature)
                if builder.version < since.get(builder.name, (0,)):
                    yield _mismatch(file, one.line, feature, since, builder)


def _since(feature: str) -> dict[str, tuple[int, ...]]:
    """From which version on each builder has it, where that is known. ADD takes COPY's flags, and some of its own."""
    forms = (feature, feature.replace("ADD", "COPY"))
    return {name: table[form] for name, table in _SINCE.items() for form in forms if form in table}


def _mismatch(
    file: Dockerfile, line: int, feature: str, since: Mapping[str, tuple[int, ...]], builder: Builder
) -> Finding:
    written = {name: f"{name} {'.'.join(map(str, version))}" for name, version in since.items()}
    return Finding(
        rule="D11",
        level=Level.ERROR,
        file=file.path,
        line=line,
        message=f"{feature} needs {written[builder.name]}; {'.'.join(map(str, builder.version))} is here",
        cost="the build fails",
        fix=f"write it without {feature}, or build with {' or '.join(written.values())}, or newer",
    )


def alpine_with_pip(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D15: musl, where most wheels are for glibc."""
    for stage in outer_bases(file):
        repository, tag, _ = split(stage.base)
        if "alpine" not in tag and not repository.endswith("alpine"):
            continue
        over = [each for each in file.stages if file.lineage(each)[0] is stage]
        for one in (run for each in over for run in each.all("RUN")):
            if "pip install" in one.script or "uv sync" in one.script or "poetry install" in one.script:
                yield Finding(
                    rule="D15",
                    level=Level.WARNING,
                    file=file.path,
                    line=stage.start.line,
                    message="Python packages are installed on Alpine, for which many have no wheel",
                    cost="minutes of compiling, a compiler in the image, or a failed build",
                    fix="take a glibc base, such as the -slim tag of the same version",
                )
                break


def past_its_end(file: Dockerfile, folder: Folder, today: date) -> Iterator[Finding]:
    """D21: a base that gets no more security fixes."""
    for stage in outer_bases(file):
        repository, tag, _ = split(stage.base)
        product = repository.rpartition("/")[2]
        version = _version(product, tag)
        end = ENDS.get(product, {}).get(version)
        if end is not None and end < today:
            yield Finding(
                rule="D21",
                level=Level.ERROR,
                file=file.path,
                line=stage.start.line,
                message=f"{product} {version} has had no security fixes since {end:%Y-%m-%d}",
                cost="known holes stay open, and new packages drop it",
                fix=f"move to {product}:{_newest(product)}{_variant(tag)} and run the tests",
            )


def _version(product: str, tag: str) -> str:
    head = tag.partition("-")[0]
    if head in _CODENAMES:
        return _CODENAMES[head]
    parts = head.split(".")
    return ".".join(parts[: 2 if product in ("python", "ubuntu") else 1])


def _newest(product: str) -> str:
    return list(ENDS[product])[-1]


def _variant(tag: str) -> str:
    _, dash, variant = tag.partition("-")
    return f"{dash}{'slim' if 'slim' in variant else variant}" if variant in ("slim", "alpine") else ""


def undefined_in_from(file: Dockerfile, folder: Folder) -> Iterator[Finding]:
    """D13: a variable in FROM that no ARG before the first FROM sets."""
    for stage in file.stages:
        for name in variables(stage.start.words[0]):
            if not file.arguments.get(name):
                yield Finding(
                    rule="D13",
                    level=Level.ERROR,
                    file=file.path,
                    line=stage.start.line,
                    message=f"FROM uses ${name}, which has no value",
                    cost="the build fails unless --build-arg gives it",
                    fix=f"write ARG {name}=DEFAULT before the first FROM",
                )
