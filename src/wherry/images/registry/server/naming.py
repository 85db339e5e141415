"""Under which image names the node keeps what is pushed, and which repository a name belongs to.

A repository is an image's name: `app` is `docker.io/library/app` in full, as pods and docker read it too, and
`ghcr.io/team/app` is itself. What is pushed gets that name, and the same below each address of this registry.
"""

from dataclasses import dataclass

from wherry.images.errors import ImageError
from wherry.images.names import full_name
from wherry.images.registry.server.errors import Refused
from wherry.images.registry.server.routes import NAME

_HUB, _LIBRARY = "docker.io/", "library/"


@dataclass(frozen=True)
class Naming:
    """`addresses` as clients write them, with the port."""

    addresses: tuple[str, ...] = ()

    def own(self, repository: str, reference: str) -> str:
        """The name under which a tag or digest of a repository is served."""
        try:
            return full_name(_joined(repository, reference))
        except ImageError as error:
            raise Refused("NAME_INVALID", str(error)) from None

    def all(self, repository: str, reference: str) -> list[str]:
        """All names that it has, the one that is served last."""
        below = [_joined(f"{address}/{repository}", reference) for address in self.addresses]
        return [*below, self.own(repository, reference)]


def split(name: str) -> tuple[str, str] | None:
    """Repository and tag or digest of a full name; None for those that no repository can be named after."""
    head, at, digest = name.partition("@")
    path, slash, last = head.rpartition("/")
    last, _, tag = last.partition(":")
    if not slash or not (digest if at else tag):
        return None
    repository = f"{path}/{last}".removeprefix(_HUB)
    if name.startswith(_HUB) and repository.startswith(_LIBRARY) and repository.count("/") == 1:
        repository = repository.removeprefix(_LIBRARY)
    return (repository, digest or tag) if NAME.fullmatch(repository) else None


def _joined(repository: str, reference: str) -> str:
    return f"{repository}{'@' if ':' in reference else ':'}{reference}"
