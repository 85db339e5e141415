"""What a process keeps from one build to the next, so that a build after an edit begins warm."""

from pathlib import Path
from types import TracebackType
from typing import Self

from wherry.images.layers.base import Base
from wherry.images.layers.interpreter import Interpreter
from wherry.images.layers.note import Note
from wherry.images.layout import Layout


class Workshop:
    """`notes` by their files. `async with` ends the programs that compile.

    `changes_on_top`: what is edited later lies on the app's layer of the first build. Quicker to make and to unpack,
    but the image is not the one that other machines make of the same folder.
    """

    def __init__(self, *, changes_on_top: bool = False) -> None:
        self.changes_on_top = changes_on_top
        self.notes: dict[Path, Note] = {}
        self._interpreters: dict[tuple[Path, str], Interpreter] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._interpreters.values():
            await one.close()

    def interpreter(self, layout: Layout, base: Base, cache: Path) -> Interpreter:
        key = (cache, base.manifest.digest)
        if key not in self._interpreters:
            self._interpreters[key] = Interpreter(layout, base, cache)
        return self._interpreters[key]
