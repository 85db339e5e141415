"""Who may use the registry: one name with a password made here, in files that only their owner reads.

`config.json` is as docker and podman keep theirs, so that each client can be pointed to it; `password` is for
`docker login --password-stdin`.
"""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry import files
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
    file = directory / "password"
    if not file.exists() or not file.read_text().strip():
        files.write(file, secrets.token_urlsafe(32) + "\n", sync=True)
    known = Credentials(USER, file.read_text().strip())
    auths = {address: {"auth": known.basic.removeprefix("Basic ")} for address in addresses}
    files.write(directory / "config.json", json.dumps({"auths": auths}, indent=2) + "\n", sync=True)
    return Login(known)
