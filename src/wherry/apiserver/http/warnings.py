"""What an answer warns of, as `Warning` headers (RFC 7234, code 299): kubectl prints them on stderr."""

import unicodedata
from collections.abc import Iterable, Iterator

from aiohttp import web

MOST, MOST_OF_ONE = 4096, 256
"""Characters that all warnings of an answer may have together; if they have more, what is left of each."""


def warn(answer: web.StreamResponse, texts: Iterable[str]) -> None:
    """Put them into the head of an answer that has not begun yet."""
    for header in headers(texts):
        answer.headers.add("Warning", header)


def headers(texts: Iterable[str]) -> Iterator[str]:
    """The headers' values: each warning once, none that could break the head, and no more than fit."""
    said = [text for text in dict.fromkeys(texts) if text and not any(map(_control, text))]
    if sum(map(len, said)) > MOST:
        said = [text[:MOST_OF_ONE] for text in said][: MOST // MOST_OF_ONE]
    for text in said:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        yield f'299 - "{quoted}"'


def _control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")
