"""Reading shell commands in RUN, CMD and ENTRYPOINT well enough to judge them. Pure."""

import re
import shlex
from collections.abc import Iterator

_SEPARATOR = re.compile(r"&&|\|\||;|\n|(?<!\|)\|(?!\|)|(?<!&)&(?!&)")
_ASSIGNMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script as words; assignments and `exec`, `sudo`, `env` before them are taken off."""
    for part in _SEPARATOR.split(script):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and (_ASSIGNMENT.match(words[0]) or words[0] in ("exec", "sudo", "env", "then", "do", "(", "{")):
            words = words[1:]
        if words:
            yield words


def called(script: str, *names: str) -> Iterator[list[str]]:
    """The commands whose program is one of `names`."""
    for words in commands(script):
        if words[0].rpartition("/")[2] in names:
            yield words


def pip_installs(script: str) -> Iterator[list[str]]:
    """What follows `pip install`, `python -m pip install` or `uv pip install`, flags included."""
    for words in commands(script):
        program = words[0].rpartition("/")[2]
        rest = words[1:]
        if program.startswith("python") and rest[:2] == ["-m", "pip"]:
            rest = rest[2:]
        elif program == "uv" and rest[:1] == ["pip"]:
            rest = rest[1:]
        elif not re.fullmatch(r"pip[0-9.]*", program):
            continue
        if "install" in rest[:4]:  # options of pip itself come before it
            yield rest[rest.index("install") + 1 :]


_TAKES_VALUE = frozenset(
    ("-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-t", "--target", "--root")
)


def packages(words: list[str]) -> list[str]:
    """The names among the words of a `pip install`, without files, folders and URLs."""
    found, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in _TAKES_VALUE:
            skip = True
        elif not word.startswith(("-", ".", "/")) and "://" not in word and not word.endswith((".whl", ".gz", ".zip")):
            found.append(word)
    return found


def apt_packages(script: str) -> list[str]:
    """What `apt-get install`, `apt install` and `apk add` install."""
    found = []
    for words in called(script, "apt-get", "apt", "apk"):
        verbs = [word for word in words[1:] if not word.startswith("-")]
        if verbs[:1] in (["install"], ["add"]):
            found += verbs[1:]
    return found
