"""Source distributions from the index that pip is configured for, held to their digests, unpacked."""

import hashlib
import json
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
from pathlib import Path

from wherry import files
from wherry.images.unpack import unpack

_SECONDS = 120.0
_JSON = "application/vnd.pypi.simple.v1+json"
_OWN = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"  # what pip asks when nobody says another


class Unfetched(Exception):
    """The index has no such file, or another one than was meant."""


def index_url() -> str:
    """pip's index, as its files and variables say."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    for key in ("global.index-url", "download.index-url", ":env:.index-url"):
        done = subprocess.run((*pip, "config", "get", key), capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    own = subprocess.run((sys.executable, "-c", _OWN), capture_output=True, text=True, check=True)
    return own.stdout.strip()


def fetch(index: str, file: str, sha256: str, cache: Path) -> Path:
    """The sdist named `file` (`flask-3.1.3.tar.gz`) in `cache`. Raises Unfetched."""
    kept = cache / file
    if not kept.is_file():
        project = file.removesuffix(".tar.gz").rpartition("-")[0].replace("_", "-").replace(".", "-").lower()
        page = urllib.request.Request(f"{index.rstrip('/')}/{project}/", headers={"Accept": _JSON})  # noqa: S310  pip's own index
        with urllib.request.urlopen(page, timeout=_SECONDS) as answer:  # noqa: S310  pip's own index
            base, listed = answer.url, json.load(answer)["files"]
        url = next((one["url"] for one in listed if one["filename"] == file), "")
        if not url:
            raise Unfetched(f"the index has no {file}")
        with urllib.request.urlopen(urllib.parse.urljoin(base, url), timeout=_SECONDS) as answer:  # noqa: S310  pip's own index
            data = answer.read()
        if hashlib.sha256(data).hexdigest() != sha256 and sha256:
            raise Unfetched(f"{file} is not the one that is meant: sha256 {hashlib.sha256(data).hexdigest()}")
        files.write(kept, data)
    found = hashlib.sha256(kept.read_bytes()).hexdigest()
    if found != sha256 and sha256:
        raise Unfetched(f"{kept} is not the one that is meant: sha256 {found}")
    return kept


def unpacked(archive: Path, into: Path) -> Path:
    """The folder that is in the archive; nothing is written outside of `into`."""
    with tarfile.open(archive) as tar:
        unpack(tar, tar.getmembers(), into)
        top = tar.getmembers()[0].name.split("/")[0]
    return into / top
