"""Who may use the registry: one name with a password made here, in files that only their owner reads.

`config.json` is as docker and podman keep theirs, so that each client can be pointed to it; `password` is for
`docker login --password-stdin`.
"""

import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.images.registry.credentials import Credentials

USER = "wherry"


@dataclass(frozen=True)
class Login:
    """Of one registry."""

    credentials: Credentials

    def allows(self, authorization: str) -> bool:
        scheme, _, rest = authorization.partition(" ")
        given = f"Basic {rest.strip()}" if scheme.lower() == "basic" else ""
        return hmac.compare_digest(given.encode(), self.credentials.basic.encode())


def of(directory: Path, addresses: Sequence[str]) -> Login:
    """The login kept in `directory`, made on first use; its `config.json` names these addresses."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = directory / "password"
    if not file.exists() or not file.read_text().strip():
        _write(file, secrets.token_urlsafe(32) + "\n")
    known = Credentials(USER, file.read_text().strip())
    auths = {address: {"auth": known.basic.removeprefix("Basic ")} for address in addresses}
    _write(directory / "config.json", json.dumps({"auths": auths}, indent=2) + "\n")
    return Login(known)


def _write(file: Path, text: str) -> None:
    """Whole or not at all, mode 0600."""
    descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        os.replace(part, file)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
