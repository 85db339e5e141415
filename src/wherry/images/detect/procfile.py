"""A Procfile's `web:` line."""

import re
import shlex


def web(text: str) -> list[str]:
    """The words of the web process, [] where there is none or it cannot be read."""
    match = re.search(r"^web\s*:\s*(.+)$", text, re.MULTILINE)
    if match is None:
        return []
    line = match[1].strip()
    if re.search(r"[|&;<>`]|\$\(|\$(?!\{?PORT\b)", line):
        return ["/bin/sh", "-c", f"exec {line}"]  # it wants a shell
    try:
        return shlex.split(line)
    except ValueError:
        return []
