"""Dependencies as uv installs them, told apart by distribution and moved to where the image has them.

The host's paths are in what uv writes (scripts name an interpreter): they are written anew, and RECORD with them.
"""

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.images.layers.content import file_member, sha256
from wherry.images.layers.tar import Member
from wherry.images.sections import sections

VENV = "opt/venv"
_ENTRY = re.compile(r"([\w.]+)\s*:\s*([\w.]+)")
_SCRIPT = """\
#!/{venv}/bin/python
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({call}())
"""
_OUTSIDE = ("bin", "share", "etc", "include")  # beside site-packages, where a wheel's scripts and data go
_LARGE = 4 << 20  # bytes; larger files are not held in memory
_LEFT_OUT = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


@dataclass(frozen=True)
class Distribution:
    """One installed distribution; the names are the image's."""

    name: str
    version: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        return sum(map(_size, self.members))


def _size(member: Member) -> int:
    if isinstance(member.data, Path):
        return member.data.stat().st_size
    return len(member.data or b"")


def site_packages(python: str) -> str:
    return f"{VENV}/lib/python{python}/site-packages"


def distributions(target: Path, python: str) -> list[Distribution]:
    """What uv installed into `target` with --target, by name."""
    found = [_read(target, path.parent, python) for path in target.glob("*.dist-info/RECORD")]
    return sorted(found, key=lambda one: one.name)


def virtual_environment(python: str) -> list[Member]:
    """The directory's frame; `python` is the path of the base's. With it `.pth` files count, as not on PYTHONPATH."""
    home, _, version = python.rpartition("/python")
    config = f"home = /{home}\ninclude-system-site-packages = false\nversion = {version}\n"
    return [
        file_member(f"{VENV}/pyvenv.cfg", config.encode()),
        Member(name=f"{VENV}/bin/python", target=f"/{python}"),
        Member(name=f"{VENV}/bin/python3", target="python"),
    ]


def _read(target: Path, info: Path, python: str) -> Distribution:
    name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
    site = site_packages(python)
    scripts = dict(_scripts(info))
    members: list[Member] = []
    record: list[tuple[str, str, str]] = []
    for path in _recorded(info / "RECORD"):
        if path.rpartition("/")[2] in _LEFT_OUT and path.startswith(f"{info.name}/"):
            continue
        source = (target / path).resolve()
        if not source.is_relative_to(target.resolve()) or not source.is_file():
            raise ImageError(f"{name} {version}: its RECORD names {path}, which is not in it")
        in_bin, outside = path.startswith("bin/"), path.partition("/")[0] in _OUTSIDE
        place = f"{VENV}/{path}" if outside else f"{site}/{path}"
        data = scripts.get(path) or (source if source.stat().st_size > _LARGE else source.read_bytes())
        executable = in_bin or bool(source.stat().st_mode & 0o100)
        data = _own_interpreter(data) if in_bin and isinstance(data, bytes) else data
        if path != f"{info.name}/RECORD":
            members.append(file_member(place, data, executable=executable))
            record.append((f"../../../{path}" if outside else path, _hash(data), str(_size(members[-1]))))
    members.append(file_member(f"{site}/{info.name}/RECORD", _record(record, info.name)))
    return Distribution(name, version, tuple(members))


def _recorded(path: Path) -> Iterator[str]:
    for row in csv.reader(path.read_text().splitlines()):
        if row and not row[0].endswith(".pyc"):
            yield re.sub(r"^(?:\.\./)+bin/", "bin/", row[0])


def _record(rows: Iterable[tuple[str, str, str]], info: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([*sorted(rows), (f"{info}/RECORD", "", "")])
    return out.getvalue().encode()


def _hash(data: bytes | Path) -> str:
    return "sha256=" + base64.urlsafe_b64encode(sha256(data)).rstrip(b"=").decode()


def _scripts(info: Path) -> Iterator[tuple[str, bytes]]:
    """The console scripts of a distribution's entry points."""
    path = info / "entry_points.txt"
    if not path.is_file():
        return
    found = sections(path.read_text())
    for section in ("console_scripts", "gui_scripts"):
        for name, value in found.get(section, {}).items():
            if text := script(value):
                yield f"bin/{name}", text


def script(target: str) -> bytes:
    """The program that calls `module:object`, b"" where that is no such thing."""
    match = _ENTRY.match(target.strip())
    if match is None:
        return b""
    first = match[2].partition(".")[0]
    return _SCRIPT.format(venv=VENV, module=match[1], first=first, call=match[2]).encode()


def record_of(members: Iterable[Member], site: str, info: str) -> bytes:
    """RECORD's bytes for members below the environment."""
    rows = []
    for one in members:
        inside = one.name.startswith(f"{site}/")
        path = one.name.removeprefix(f"{site}/") if inside else f"../../../{one.name.removeprefix(f'{VENV}/')}"
        rows.append((path, _hash(one.data or b""), str(_size(one))))
    return _record(rows, info)


def _own_interpreter(data: bytes) -> bytes:
    """A script that a wheel brings: uv has put this machine's interpreter into its first line."""
    first, newline, rest = data.partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        return f"#!/{VENV}/bin/python".encode() + newline + rest
    return data
