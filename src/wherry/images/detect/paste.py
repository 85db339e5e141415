"""Paste configurations (Pyramid's and others'): an .ini whose [app:main] a WSGI server can load. Pure."""

import configparser
from collections.abc import Mapping
from dataclasses import dataclass

_FILES = ("production.ini", "app.ini", "development.ini")


@dataclass(frozen=True)
class Paste:
    """`includes` are packages that the configuration adds to the app, which may be named nowhere else."""

    file: str
    includes: tuple[str, ...]


def configuration(files: Mapping[str, str]) -> Paste | None:
    """The one that is meant for production first."""
    for path in _FILES:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(files.get(path, ""))
        except configparser.Error:
            continue
        section = next((one for one in ("app:main", "composite:main", "pipeline:main") if one in parser), "")
        if section:
            listed = parser.get("app:main", "pyramid.includes", fallback="") if "app:main" in parser else ""
            return Paste(path, tuple(one for one in listed.split() if "." not in one))
    return None
