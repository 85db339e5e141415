"""The answer, and the order in which languages are asked."""

from collections.abc import Mapping

from wherry.images.detect import node, other, procfile, python
from wherry.images.detect.found import App, Reason, Unclear

__all__ = ["App", "Reason", "Unclear", "detect"]


def detect(files: Mapping[str, str]) -> App:
    """What `files` (path with `/` -> text, "" for what is no text) make. Raises Unclear."""
    web = procfile.web(files.get("Procfile", ""))
    if python.speaks(files):
        return python.detect(files, web)
    if "package.json" in files:
        return node.detect(files, web)
    if "go.mod" in files:
        return other.go(files)
    if any(path in files for path in ("index.html", "public/index.html", "dist/index.html")):
        return other.static(files)
    raise Unclear(
        "nothing here says what the app is: there is no requirements.txt, pyproject.toml, *.py, package.json, go.mod "
        "or index.html. Write a Dockerfile, or name the folder that holds the app"
    )
