"""The Python that compiles: the same source, the same bytes."""

import marshal
import random
import sys
import sysconfig
from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layers.compiler import Compiler

HEAD = 16
ODD = {
    "app/latin.py": b"# -*- coding: latin-1 -*-\nname = '\xe9'\nIncrementalEncoder = getregentry = None\n",
    "app/broken.py": b"def f(:\n",
    "app/torn.py": b"x = '\xff'\n",
    "app/none.py": b"# coding: no-such-thing\nx = 1\n",
    "app/warns.py": b"import re\nx = re.compile('\\d') if 1 is 1 else None\n",
}


def library() -> dict[str, bytes]:
    folder = Path(sysconfig.get_path("stdlib"))
    paths = [*folder.glob("*.py"), *folder.glob("asyncio/*.py"), *folder.glob("encodings/*.py")]
    return {f"lib/{path.relative_to(folder)}": path.read_bytes() for path in paths}


async def test_bytes_do_not_depend_on_what_else_is_compiled_or_in_which_order() -> None:
    sources = {**library(), **ODD}
    names = list(sources)
    seen = []
    for seed in range(3):
        compiler = Compiler((sys.executable,), {})
        random.Random(seed).shuffle(names)
        made: dict[str, bytes] = {}
        try:
            for start in range(0, len(names), 60 + 41 * seed):  # several questions to one process
                made |= await compiler.compile({name: sources[name] for name in names[start : start + 60 + 41 * seed]})
        finally:
            await compiler.close()
        seen.append(made)
    assert seen[0] == seen[1] == seen[2]
    assert [name for name in sorted(sources) if not seen[0][name]] == ["app/broken.py", "app/none.py", "app/torn.py"]
    found: dict[str, object] = {}
    exec(marshal.loads(seen[0]["app/latin.py"][HEAD:]), found)
    assert found["name"] == "é"


async def test_a_compiler_that_does_not_run_says_why_and_can_be_asked_again() -> None:
    compiler = Compiler(("sh", "-c", "echo no loader here >&2; exit 3", "sh"), {"PATH": "/usr/bin:/bin"})
    for _ in range(2):
        with pytest.raises(ImageError, match="cannot compile on this machine: no loader here"):
            await compiler.compile({"app/a.py": b"x = 1\n"})


async def test_a_program_that_was_killed_is_started_anew() -> None:
    compiler = Compiler((sys.executable,), {})
    try:
        first = await compiler.compile({"app/a.py": b"x = 1\n"})
        assert compiler._child is not None
        compiler._child.kill()
        await compiler._child.wait()
        with pytest.raises(ImageError, match="cannot compile"):
            await compiler.compile({"app/a.py": b"x = 1\n"})
        assert await compiler.compile({"app/a.py": b"x = 1\n"}) == first
    finally:
        await compiler.close()
