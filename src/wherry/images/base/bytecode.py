"""Bytecode for a tree of files, made by the tree's own interpreter, so that its version is the right one.

It is checked against nothing at run time (PEP 552, unchecked), so it stays valid whatever happens to time stamps.
"""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member
from wherry.process import ProgramError, run

_SECONDS = 300.0
_SCRIPT = """
import json, py_compile, sys
root, names = json.load(sys.stdin)
for name in names:
    try:
        py_compile.compile(root + "/" + name, dfile="/" + name, doraise=True, quiet=2,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, SyntaxError, UnicodeDecodeError):
        pass  # templates and code of other versions; nobody can import them anyway
"""


async def compiled(system: Sequence[Member], sources: Sequence[Member], python: str) -> list[Member]:
    """The `.pyc` members of `sources`, with their directories; `system` holds the interpreter `usr/bin/{python}`."""
    with tempfile.TemporaryDirectory(prefix="wherry-base-") as directory:
        root = Path(directory)
        await asyncio.to_thread(_unpack, root, {member.name: member for member in (*system, *sources)})
        names = sorted(member.name for member in sources if _is_module(member))
        try:
            await run(
                *_interpreter(root, python),
                stdin=json.dumps([str(root), names]).encode(),
                env={"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
                timeout=_SECONDS,
            )
        except ProgramError as error:
            raise ImageError(f"the base image's own {python} does not run here: {error}") from error
        return await asyncio.to_thread(lambda: list(_found(root, sources)))


def _is_module(member: Member) -> bool:
    return isinstance(member.data, bytes) and member.name.endswith(".py")


def _interpreter(root: Path, python: str) -> tuple[str, ...]:
    """Through the tree's own loader and libraries, so that neither root nor chroot is needed."""
    loader = next(iter(sorted((root / "usr/lib").glob("*/ld-linux*.so.*"))), None)
    if loader is None:
        raise ImageError("the base image has no loader for programs: the package libc6 is not what was expected")
    libraries = ":".join(str(path) for path in sorted((root / "usr/lib").glob("*-linux-gnu*")))
    return (str(loader), "--library-path", libraries, str(root / "usr/bin" / python), "-S", "-B", "-c", _SCRIPT)


def _unpack(root: Path, members: Mapping[str, Member]) -> None:
    for member in members.values():
        path = root / member.name
        if isinstance(member.data, bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.data)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)
        elif member.target and not member.target.startswith("/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(member.target)


def _found(root: Path, sources: Sequence[Member]) -> Iterator[Member]:
    mtimes = {member.name: member.mtime for member in sources}
    directories: dict[str, int] = {}
    for name in sorted(mtimes):
        if not name.endswith(".py"):
            continue
        folder, _, module = name.rpartition("/")
        for path in (root / folder / "__pycache__").glob(f"{module.removesuffix('.py')}.cpython-*.pyc"):
            cache = f"{folder}/__pycache__"
            directories[cache] = max(directories.get(cache, 0), mtimes[name])
            yield Member(name=f"{cache}/{path.name}", mode=0o644, mtime=mtimes[name], data=path.read_bytes())
    for cache, mtime in directories.items():
        yield Member(name=cache, mtime=mtime)
