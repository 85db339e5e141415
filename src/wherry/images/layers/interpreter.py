"""The base image's own Python, run on this machine to compile: the same version everywhere, so the same bytecode."""

import asyncio
import errno
import hashlib
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wherry import files
from wherry.images.errors import ImageError
from wherry.images.layers.base import Base
from wherry.images.layers.compiler import Compiler
from wherry.images.layout import Layout
from wherry.images.unpack import unpack

FORMAT = "3"
_NEEDED = (
    "usr/bin/python3",
    "usr/lib/python3",
    "usr/local/bin/python3",
    "usr/local/lib/python3",
    "usr/local/lib/libpy",
)
_LIBRARIES = ("x86_64-linux-gnu/", "aarch64-linux-gnu/")


class Interpreter:
    """A base image's Python, unpacked below `cache`; the compiled code of dependencies is kept there too.

    A base for another kind of processor does not run here. Bytecode is the same on all, so this program's own Python
    compiles where it is of the same version; else nothing is compiled.
    """

    def __init__(self, layout: Layout, base: Base, cache: Path) -> None:
        self._layout = layout
        self._base = base
        name = base.manifest.digest.removeprefix("sha256:")[:16]
        self.id = f"{name}-{FORMAT}"
        self._root = cache / "python" / name
        self._known = cache / "bytecode" / self.id
        self._compiler: Compiler | None = None

    @property
    def compiles(self) -> bool:
        return self._base.runs_here or self._base.version == ".".join(map(str, sys.version_info[:2]))

    async def compile(self, sources: Mapping[str, bytes], *, keep: bool = True) -> dict[str, bytes]:
        """The `.pyc` files of `.py` files, by their names in the image. What is no valid code has none."""
        if not self.compiles:
            return {}
        keys = {name: self._key(name, source) for name, source in sources.items()} if keep else {}
        found = await asyncio.to_thread(self._read, keys) if keys else {}
        missing = {name: source for name, source in sources.items() if name not in found}
        if missing:
            made = await self._run(missing)
            if keep:
                await asyncio.to_thread(self._write, {keys[name]: code for name, code in made.items()})
            found |= made
        return {self.place(name): code for name, code in found.items() if code}

    def place(self, name: str) -> str:
        """Where Python looks for the bytecode of a source file."""
        folder, slash, module = name.rpartition("/")
        tag = f"cpython-{self._base.version.replace('.', '')}"
        return f"{folder}{slash}__pycache__/{module.removesuffix('.py')}.{tag}.pyc"

    def _key(self, name: str, source: bytes) -> str:
        return hashlib.sha256(name.encode() + b"\0" + source).hexdigest()

    def _read(self, keys: Mapping[str, str]) -> dict[str, bytes]:
        found = {}
        for name, key in keys.items():
            try:
                found[name] = (self._known / key[:2] / key).read_bytes()
            except FileNotFoundError:
                continue
        return found

    def _write(self, made: Mapping[str, bytes]) -> None:
        for key, code in made.items():
            files.write(self._known / key[:2] / key, code)

    async def _run(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        if self._compiler is None:
            if self._base.runs_here and not self._root.exists():
                await asyncio.to_thread(self._unpack)
            home = {"PYTHONHOME": str(self._home)} if self._base.runs_here else {}
            self._compiler = Compiler(self._command(), home)
        return await self._compiler.compile(sources)

    async def close(self) -> None:
        """End the program that compiles, if it runs."""
        if self._compiler is not None:
            await self._compiler.close()

    @property
    def _home(self) -> Path:
        return (self._root / self._base.python).parent.parent

    def _command(self) -> tuple[str, ...]:
        """Through the image's own loader and libraries: neither root nor chroot is needed."""
        if not self._base.runs_here:
            return (sys.executable,)
        libraries = [path for where in ("usr/lib", "lib") for path in sorted(self._root.glob(f"{where}/*-linux-gnu"))]
        loader = next((found for path in libraries for found in sorted(path.glob("ld-linux*.so.*"))), None)
        if loader is None:
            raise ImageError(f"{self._base.reference}: its Python does not run with glibc; take another base (--base)")
        places = ":".join(map(str, (*libraries, self._root / "usr/local/lib")))
        return (str(loader), "--library-path", places, str(self._root / self._base.python))

    def _unpack(self) -> None:
        """Only what Python needs, and nothing that leads out of its directory."""
        self._root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(dir=self._root.parent, prefix=".new-"))
        try:
            for layer in self._base.layers:
                with tarfile.open(self._layout.path(layer["digest"]), "r:*") as tar:
                    unpack(tar, [one for one in tar if _needed(one)], scratch)
            settle(scratch, self._root)
        except (tarfile.TarError, OSError) as error:
            raise ImageError(f"{self._base.reference}: its Python cannot be unpacked: {error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def settle(made: Path, place: Path) -> None:
    """Another build may have been first: what it made is the same."""
    try:
        made.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _needed(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix("./")
    wanted = name.startswith(_NEEDED) and "/site-packages/" not in name
    library = name.removeprefix("usr/").startswith(tuple(f"lib/{one}" for one in _LIBRARIES))
    return (wanted or library) and (member.isreg() or (member.issym() and "/" not in member.linkname))
