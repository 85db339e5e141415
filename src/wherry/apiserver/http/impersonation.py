"""Acting as somebody else (`kubectl --as`), for those who may: authentication.k8s.io's Impersonate headers."""

from collections.abc import Iterator
from urllib.parse import unquote

from multidict import CIMultiDictProxy, istr

from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.verbs.context import User
from wherry.objects.errors import BadRequest

_NAMES = (istr("Impersonate-User"), istr("Impersonate-Group"), istr("Impersonate-Uid"))
_EXTRA = "impersonate-extra-"
_ACCOUNT = "system:serviceaccount:"
_GROUP = "authentication.k8s.io"


def acting(headers: CIMultiDictProxy[str], user: User, authorizer: Authorizer) -> User:
    """Whom a request acts as: `user`, or whom its headers name. Raises Forbidden where `user` may not."""
    if not any(name in headers for name in _NAMES):
        return user
    name = headers.get("Impersonate-User", "")
    if not name:
        raise BadRequest("requested impersonation without impersonating a user: the header Impersonate-User is missing")
    groups = tuple(headers.getall("Impersonate-Group", ()))
    extra = {
        unquote(header.removeprefix(_EXTRA)): tuple(headers.getall(header))
        for header in dict.fromkeys(map(str.lower, headers))
        if header.startswith(_EXTRA)
    }
    wanted = User(name, groups, headers.get("Impersonate-Uid", ""), extra)
    for asked in _rights(wanted):
        authorizer.check(user, asked)
    return User(name, _groups_of(name, groups), wanted.uid, extra)


def _rights(wanted: User) -> Iterator[Attributes]:
    namespace, _, account = wanted.name.removeprefix(_ACCOUNT).partition(":")
    if wanted.name.startswith(_ACCOUNT) and account:
        yield Attributes("impersonate", "", "serviceaccounts", "", namespace, account)
    else:
        yield Attributes("impersonate", "", "users", "", "", wanted.name)
    for group in wanted.groups:
        yield Attributes("impersonate", "", "groups", "", "", group)
    if wanted.uid:
        yield Attributes("impersonate", _GROUP, "uids", "", "", wanted.uid)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes("impersonate", _GROUP, "userextras", key, "", value)


def _groups_of(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """A named user is authenticated, a service account is in its own groups where none are named."""
    if name == "system:anonymous":
        return groups or ("system:unauthenticated",)
    if name.startswith(_ACCOUNT) and not groups:
        namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return groups if "system:authenticated" in groups else (*groups, "system:authenticated")
