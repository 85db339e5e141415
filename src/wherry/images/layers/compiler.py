"""A Python that goes on running and compiles what it is given: to start one takes longer than to compile a module."""

import asyncio
import io
import marshal
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from wherry.images.errors import ImageError

_SECONDS = 600.0
_END_SECONDS = 5.0
_SAID = 2000
# The same source gives the same bytes, whatever else the process holds. Marshal's format 4 marks what is held elsewhere
# too, so here all of it is held; that is proved for 3.11. On others format 2 marks nothing, and is a third slower to
# load. PEP 552's flag 1 means: by hash, and not checked when it is loaded.
_SCRIPT = """
import _imp, marshal, sys
import _frozen_importlib_external as external
sys.warnoptions[:] = []
head = external.MAGIC_NUMBER + (1).to_bytes(4, "little")
form = 4 if sys.version_info[:2] == (3, 11) else 2
kind = type(external.cache_from_source.__code__)

def hold(code, held):
    todo = [code]
    while todo:
        one = todo.pop()
        held.append(one)
        if isinstance(one, (tuple, frozenset)):
            todo += one
        elif isinstance(one, kind):
            todo += (one.co_consts, one.co_names, one.co_varnames, one.co_cellvars, one.co_freevars)
            held += (one.co_filename, one.co_name, one.co_qualname, one.co_linetable, one.co_exceptiontable)

given, taken = sys.stdin.buffer, sys.stdout.buffer
while size := given.read(8):
    out = []
    for name, source in marshal.loads(given.read(int.from_bytes(size, "little"))):
        held = []
        try:
            code = compile(source, "/" + name, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            out.append(b"")
            continue
        if form > 2:
            hold(code, held)
        out.append(head + _imp.source_hash(external._RAW_MAGIC_NUMBER, source) + marshal.dumps(code, form))
    data = marshal.dumps(out, 2)
    taken.write(len(data).to_bytes(8, "little") + data)
    taken.flush()
"""
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "LC_ALL": "C.UTF-8"}


class Compiler:
    """Starts with the first sources, and ends with `close` or with this program."""

    def __init__(self, interpreter: Sequence[str], environment: Mapping[str, str]) -> None:
        """`interpreter` is a command that runs a script after `-c`."""
        self._argv = (*interpreter, "-S", "-B", "-c", _SCRIPT)
        self._environment = {**environment, **_ENVIRONMENT}
        self._child: asyncio.subprocess.Process | None = None
        self._said: IO[bytes] | None = None
        self._free = asyncio.Lock()

    async def compile(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """The content of each `.pyc`; b"" for what is no valid code. Raises ImageError."""
        names = sorted(sources)
        asked = marshal.dumps([(name, sources[name]) for name in names], 2)
        async with self._free:
            try:
                async with asyncio.timeout(_SECONDS):
                    answer = await self._ask(asked)
            except TimeoutError:
                await self.close()
                raise ImageError(f"the base image's Python has compiled for {_SECONDS:g} s without an end") from None
            except (OSError, asyncio.IncompleteReadError) as error:
                said = self._last_words() or repr(error)
                await self.close()
                raise ImageError(f"the base image's Python cannot compile on this machine: {said}") from error
            except BaseException:
                await self.close()  # its answer would be taken for that to another question
                raise
        return dict(zip(names, marshal.loads(answer), strict=True))  # noqa: S302  our own child wrote it

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if child.stdin is not None:
                child.stdin.close()
            if child.returncode is None:
                child.kill()  # it holds nothing
            async with asyncio.timeout(_END_SECONDS):
                await child.wait()
        if self._said is not None:
            self._said.close()
            self._said = None

    async def _ask(self, asked: bytes) -> bytes:
        child = self._child = self._child or await self._start()
        assert child.stdin is not None, "it is a pipe"
        assert child.stdout is not None, "it is a pipe"
        child.stdin.write(len(asked).to_bytes(8, "little") + asked)
        await child.stdin.drain()
        size = int.from_bytes(await child.stdout.readexactly(8), "little")
        return await child.stdout.readexactly(size)

    async def _start(self) -> asyncio.subprocess.Process:
        self._said = tempfile.TemporaryFile(prefix="wherry-compiler-")  # noqa: SIM115  closed with the child
        return await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._said,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for this program alone; the child ends with its input
        )

    def _last_words(self) -> str:
        if self._said is None:
            return ""
        self._said.seek(max(0, self._said.seek(0, io.SEEK_END) - _SAID))
        return self._said.read().decode(errors="replace").strip()
