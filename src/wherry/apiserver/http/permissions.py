"""What was allowed is allowed until a role or a binding changes: the answers of `authz`, remembered.

Only permissions are kept, refusals are not: those are rare, and whoever is refused tries other things next.
"""

from dataclasses import dataclass, field

from wherry.apiserver.http.authz import Authorizer
from wherry.apiserver.http.routes import Route, attributes
from wherry.apiserver.verbs.context import MASTERS, User
from wherry.store import Store

SOURCES = tuple(
    f"{plural}.rbac.authorization.k8s.io" for plural in ("clusterrolebindings", "rolebindings", "clusterroles", "roles")
)
MOST_REMEMBERED = 8192


@dataclass
class Permissions:
    """Asks the authorizer once for each user, verb and path."""

    authorizer: Authorizer
    store: Store
    _allowed: set[tuple[str, tuple[str, ...], str, str]] = field(default_factory=set)
    _seen: int = -1

    def check(self, user: User, verb: str, path: str, route: Route) -> None:
        """Raises Forbidden. `path` is where `route` was found."""
        if MASTERS in user.groups:
            return
        changed = max(map(self.store.changed, SOURCES))
        if changed != self._seen or len(self._allowed) >= MOST_REMEMBERED:
            self._allowed.clear()
            self._seen = changed
        asked = (user.name, user.groups, verb, path)
        if asked not in self._allowed:
            self.authorizer.check(user, attributes(verb, route.target))
            self._allowed.add(asked)
