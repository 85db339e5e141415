"""Who owns a file: a Debian package, a Python distribution, or nobody. Pure, on the metadata that the image carries."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser

from wherry.images.distributions import normalized

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)$")


@dataclass(frozen=True)
class Package:
    """An installed package. `needs` are the names of those of its own kind that it asks for."""

    kind: str  # "python" or "debian"
    name: str
    version: str
    needs: Sequence[str] = ()
    root: str = ""  # of a Python distribution: the site-packages folder


@dataclass(frozen=True)
class Owners:
    """Packages, and which of them each path belongs to."""

    packages: Sequence[Package] = ()
    by_path: Mapping[str, Package] = field(default_factory=dict)

    def wanted_by(self, package: Package) -> list[str]:
        """The packages that ask for this one; none: it was asked for directly, or is not needed."""
        same = [other for other in self.packages if other.kind == package.kind and other.name != package.name]
        return sorted(other.name for other in same if package.name in other.needs)


def owners(texts: Mapping[str, str], paths: Iterable[str]) -> Owners:
    """From the texts of metadata files and all paths of the image."""
    present = set(paths)
    packages: list[Package] = []
    by_path: dict[str, Package] = {}
    for path, text in sorted(texts.items()):
        if path.endswith(".dist-info/METADATA") and path in present:
            package, owned = _distribution(path, text, texts)
            packages.append(package)
            by_path.update((each, package) for each in owned if each in present)
    for package, owned in _debian(texts):
        packages.append(package)
        by_path.update((each, package) for each in owned if each in present and each not in by_path)
    _bytecode(present, by_path)
    return Owners(tuple(packages), by_path)


def _distribution(path: str, text: str, texts: Mapping[str, str]) -> tuple[Package, list[str]]:
    head = HeaderParser().parsestr(text, headersonly=True)
    info = path.rpartition("/")[0]
    root = info.rpartition("/")[0]
    needs = []
    for each in head.get_all("Requires-Dist") or ():
        match = _REQUIREMENT.match(each)
        if match and "extra ==" not in match[2]:
            needs.append(normalized(match[1]))
    package = Package("python", normalized(head["Name"] or info), head["Version"] or "", tuple(needs), root)
    rows = csv.reader((texts.get(f"{info}/RECORD") or "").splitlines())
    return package, [path, *(_joined(root, row[0]) for row in rows if row)]


def _joined(root: str, relative: str) -> str:
    """`../../bin/x` below `root`, as RECORD writes what lies outside site-packages."""
    parts = root.split("/") if root else []
    for part in relative.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _bytecode(present: Iterable[str], by_path: dict[str, Package]) -> None:
    """A `__pycache__` file belongs to whoever owns its source."""
    for path in present:
        if path in by_path or "/__pycache__/" not in path:
            continue
        folder, _, name = path.rpartition("/__pycache__/")
        owner = by_path.get(f"{folder}/{name.partition('.')[0]}.py")
        if owner is not None:
            by_path[path] = owner


def _debian(texts: Mapping[str, str]) -> Iterable[tuple[Package, list[str]]]:
    stanzas = [block for block in texts.get("var/lib/dpkg/status", "").split("\n\n") if block.strip()]
    stanzas += [text for path, text in texts.items() if "dpkg/status.d/" in path and not path.endswith(".md5sums")]
    for stanza in stanzas:
        head = HeaderParser().parsestr(stanza.strip() + "\n", headersonly=True)
        name = head["Package"]
        if not name or "deinstall" in (head["Status"] or ""):
            continue
        depends = re.split(r"[,|]", ", ".join(filter(None, (head["Depends"], head["Pre-Depends"]))))
        needs = tuple(part.split()[0].partition(":")[0] for part in depends if part.split())
        package = Package("debian", name, head["Version"] or "", needs)
        listed = texts.get(f"var/lib/dpkg/info/{name}.list")
        if listed is None:
            listed = texts.get(f"var/lib/dpkg/info/{name}:{head['Architecture']}.list", "")
        described = f"var/lib/dpkg/status.d/{name}"
        sums = [line.partition("  ")[2] for line in texts.get(f"{described}.md5sums", "").splitlines()]
        own = [path for path in (described, f"{described}.md5sums") if path in texts]
        yield package, [*own, *(_usr(line.strip("/")) for line in (*listed.splitlines(), *sums))]


def _usr(path: str) -> str:
    """Where a merged /usr has what a package lists under /lib and /bin."""
    return f"usr/{path}" if path.split("/", 1)[0] in ("lib", "bin", "sbin", "lib64") else path
