"""The base image's own Python, run on this machine to compile: the same version everywhere, so the same bytecode."""

import asyncio
import hashlib
import marshal
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.images.layout import Descriptor, Layout
from wherry.process import ProgramError, run

FORMAT = "1"
_SECONDS = 600.0
_NEEDED = ("usr/bin/python3", "usr/lib/python3", "usr/lib/x86_64-linux-gnu/", "usr/lib/aarch64-linux-gnu/")
# Reference flags in marshal's newer formats depend on what else the process holds; format 2 has none (and PEP 552's 1
# means: by hash, and not checked when it is loaded).
_SCRIPT = """
import _imp, importlib.util, marshal, sys, warnings
warnings.simplefilter("ignore")
out = []
for name, source in marshal.load(sys.stdin.buffer):
    try:
        code = compile(source, "/" + name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        out.append(b"")
        continue
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
    out.append(head + _imp.source_hash(importlib.util._RAW_MAGIC_NUMBER, source) + marshal.dumps(code, 2))
with open(sys.argv[1], "wb") as file:
    marshal.dump(out, file, 2)
"""


class Interpreter:
    """Python `version` (`3.11`) out of a base image, unpacked below `cache`; compiled code is kept there too."""

    def __init__(self, layout: Layout, base: Descriptor, version: str, cache: Path) -> None:
        self.version = version
        self._layout = layout
        self._base = base
        self._root = cache / "python" / base.digest.removeprefix("sha256:")[:16]
        self._known = cache / "bytecode" / f"{version}-{FORMAT}-{self._root.name}"

    async def compile(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """The `.pyc` files of `.py` files, by their names in the image. What is no valid code has none."""
        keys = {name: self._key(name, source) for name, source in sources.items()}
        found = await asyncio.to_thread(self._read, keys)
        missing = {name: source for name, source in sources.items() if name not in found}
        if missing:
            made = await self._run(missing)
            await asyncio.to_thread(self._write, {keys[name]: code for name, code in made.items()})
            found |= made
        return {self._place(name): code for name, code in found.items() if code}

    def _place(self, name: str) -> str:
        folder, slash, module = name.rpartition("/")
        tag = f"cpython-{self.version.replace('.', '')}"
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
            path = self._known / key[:2] / key
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            number, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with os.fdopen(number, "wb") as file:
                file.write(code)
            os.replace(name, path)

    async def _run(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        if not self._root.exists():
            await asyncio.to_thread(self._unpack)
        names = sorted(sources)
        with tempfile.NamedTemporaryFile(prefix="wherry-bytecode-") as out:
            try:
                await run(
                    *self._command(),
                    out.name,
                    stdin=marshal.dumps([(name, sources[name]) for name in names], 2),
                    env={"PYTHONHOME": str(self._root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
                    timeout=_SECONDS,
                )
            except ProgramError as error:
                raise ImageError(f"the base image's Python cannot compile on this machine: {error}") from error
            codes = marshal.load(out)  # noqa: S302  our own child wrote it
        return dict(zip(names, codes, strict=True))

    def _command(self) -> tuple[str, ...]:
        """Through the image's own loader and libraries: neither root nor chroot is needed."""
        loader = next(iter(sorted(self._root.glob("usr/lib/*/ld-linux*.so.*"))), None)
        if loader is None:
            raise ImageError("the base image has no Python of Debian's kind; name one that `wherry image base` made")
        python = self._root / f"usr/bin/python{self.version}"
        return (str(loader), "--library-path", str(loader.parent), str(python), "-S", "-B", "-c", _SCRIPT)

    def _unpack(self) -> None:
        """Only what Python needs, and nothing that leads out of its directory."""
        self._root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(dir=self._root.parent, prefix=".new-"))
        try:
            for layer in self._layout.read_json(self._base.digest)["layers"]:
                with tarfile.open(self._layout.path(layer["digest"]), "r:*") as tar:
                    members = [one for one in tar if one.name.startswith(_NEEDED) and (one.isreg() or _inside(one))]
                    tar.extractall(scratch, members, filter="data")
            scratch.rename(self._root)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _inside(member: tarfile.TarInfo) -> bool:
    """A link to a file beside it."""
    return member.issym() and "/" not in member.linkname
