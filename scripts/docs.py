"""`make docs`: the documents that are made of the program itself.

`docs/CONFIGURATION.md` comes from the fields of `wherry.config.Config`, and a test holds it equal. `docs/img/up.svg` is
a real `wherry up examples/webapp` on a terminal of its own, drawn from what it printed.
"""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from wherry.config import DEFAULT_FILE, PREFIX, SETTINGS, Config, Setting, render

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 100, 40
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)  # from a host of the outside; the viewer's own will do
CLEAR_LINE, UP = "\x1b[2K", "\x1b[1A"

HEAD = f"""# Configuration

Made by `make docs` from the fields of `wherry.config.Config`; a change here is lost.

Every setting can be given in four places. Later ones win:

1. its default;
2. a TOML file: `--config FILE`, else `{PREFIX}CONFIG`, else `{DEFAULT_FILE}` if it is there;
3. the environment;
4. a flag, of every `wherry node` command and of every command that reaches the node.

A key that is not listed here, or a value that cannot be, is an error that names the file, the line and what would do.
Several engines on one machine differ in `name`, `state`, `run-dir`, `port`, `registry-port`, `bridge`, `pod-network`,
`service-network` and `node-ports`. A running engine's settings are in its run directory, in `config.toml`.

| key | flag | variable | default | what it is |
|---|---|---|---|---|
"""
TAIL = """
`--pods` and `--services` are other names of the flags `--pod-network` and `--service-network`.

## More variables

| variable | what it does |
|---|---|
| `WHERRY_CONTEXT` | the kubeconfig context that commands go to, as `--context`; without it, the node on this machine |
| `WHERRY_NAMESPACE` | the namespace, as `--namespace` |
| `WHERRY_PROFILE` | a profile of `wherry.toml`, as `--profile` |
| `WHERRY_REGISTRY` | where images for another cluster are pushed, as `--registry` |
| `WHERRY_DEBUG` | show where a defect of wherry is |
| `KUBECONFIG` | the first file named in it gets the node's context; without it, `~/.kube/config` |
| `NO_COLOR` | no colours |

## Files

| file | what it is |
|---|---|
| `STATE/db` | the objects; one process holds it |
| `STATE/pki`, `STATE/kubeconfig` | keys and the administrator's kubeconfig, 0600 |
| `STATE/log/engine.log` | JSON lines, 24 MiB at most; `wherry node logs` shows them |
| `STATE/containerd` | the node's own containerd: images and containers |
| `RUN/config.toml` | what the running engine was started with |

`wherry node start` puts a context named after the node into the user's kubeconfig (the one who called sudo, if so): the
file is locked as kubectl locks it, written whole, 0600, and everything else in it stays as it was, comments too. The
current context is set only where there is none. `wherry node reset` takes it out; `--no-kubeconfig` leaves it alone.

## A file with every setting

```toml
"""


def configuration() -> str:
    """The text of docs/CONFIGURATION.md."""
    return HEAD + "".join(map(_row, SETTINGS)) + TAIL + render(Config()) + "```\n"


def _row(each: Setting) -> str:
    default = f"`{each.written(each.default)}`" if each.written(each.default) else "none"
    return f"| `{each.key}` | `{each.flag}` | `{each.variable}` | {default} | {each.help} |\n"


def recorded(*argv: str) -> tuple[int, str]:
    """What a program prints on a terminal, and its exit code."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
    child = subprocess.Popen(argv, stdin=side, stdout=side, stderr=side, env=environment, cwd=ROOT)
    os.close(side)
    pieces = []
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the terminal's end, on Linux
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(main)
    return child.wait(), b"".join(pieces).decode(errors="replace")


def settled(text: str) -> list[str]:
    """The lines that are on the screen at the end: what was redrawn is gone, colours stay."""
    lines = [""]
    for part in text.replace("\r\n", "\n").replace("\x1b[?25l", "").replace("\x1b[?25h", "").split("\n"):
        for piece in _pieces(part):
            if piece == UP:
                if len(lines) > 1:
                    lines.pop()
            elif piece in (CLEAR_LINE, "\r"):
                lines[-1] = ""
            else:
                lines[-1] += piece
        lines.append("")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _pieces(part: str) -> list[str]:
    for mark in (UP, CLEAR_LINE, "\r"):
        part = part.replace(mark, f"\0{mark}\0")
    return [piece for piece in part.split("\0") if piece]


def draw(command: str, lines: list[str], file: Path) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    for line in lines:
        console.print(Text.from_ansi(line))
    file.parent.mkdir(parents=True, exist_ok=True)
    drawing = console.export_svg(title="wherry", unique_id="up")
    file.write_text(FONTS.sub("", drawing))


def main(words: list[str]) -> int:
    (ROOT / "docs" / "CONFIGURATION.md").write_text(configuration())
    print("docs/CONFIGURATION.md")
    if "--no-up" in words:
        return 0
    code, text = recorded(sys.executable, "-m", "wherry.cli", "up", "examples/webapp")
    if code != 0:
        print(text)
        print("`wherry up examples/webapp` failed: docs/img/up.svg stays as it was", file=sys.stderr)
        return 1
    draw("wherry up examples/webapp", settled(text), ROOT / "docs" / "img" / "up.svg")
    print("docs/img/up.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
