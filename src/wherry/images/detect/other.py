"""Go programs and static sites. Pure."""

import re
from collections.abc import Mapping

from wherry.images.detect.found import App, Dependencies, Reason, Unclear


def go(files: Mapping[str, str]) -> App:
    """Raises Unclear where no main package is found, or several are."""
    mains = sorted({path.rpartition("/")[0] for path, text in files.items() if _main(path, text)})
    if len(mains) > 1 and "" in mains:
        mains = [""]
    if len(mains) != 1:
        there = ", ".join(f"./{folder}" for folder in mains) or "none"
        raise Unclear(
            f"go.mod is here, and main packages are: {there}. Write a Dockerfile that builds the one you mean"
        )
    folder = f"./{mains[0]}" if mains[0] else "."
    version = re.search(r"^go\s+(\d+\.\d+)", files["go.mod"], re.MULTILINE)
    port = _port(files)
    needs = Dependencies("go", "go.mod", "go.sum" if "go.sum" in files else "")
    reasons = [Reason(f"Go, {folder}", "go.mod and a main package"), Reason(f"port {port}", "PORT is set to it")]
    build = [["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "/app", folder]]
    return App(
        "go",
        "go",
        ["/app"],
        port,
        needs,
        version[1] if version else "",
        (),
        {"PORT": str(port)},
        build,
        reasons=reasons,
    )


def _main(path: str, text: str) -> bool:
    if not path.endswith(".go") or path.endswith("_test.go"):
        return False
    return bool(re.search(r"^package main\b", text, re.MULTILINE)) and "func main()" in text


def _port(files: Mapping[str, str]) -> int:
    for path, text in files.items():
        if path.endswith(".go"):
            match = re.search(r"ListenAndServe\w*\(\s*\"[^\"]*:(\d{2,5})\"", text) or re.search(r"\":(\d{2,5})\"", text)
            if match:
                return int(match[1])
    return 8080


def static(files: Mapping[str, str]) -> App:
    """Files for a web server."""
    root = next(folder for folder in ("dist", "public", "") if f"{folder}/index.html".lstrip("/") in files)
    reasons = [Reason("static site", f"{root}/index.html".lstrip("/"))]
    return App(
        "static",
        "static",
        ["httpd", "-f", "-p", "8080", "-h", "/site"],
        8080,
        Dependencies("none", root),
        reasons=reasons,
    )
