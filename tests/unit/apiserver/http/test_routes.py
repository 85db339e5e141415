import pytest

from wherry.apiserver.http.routes import Routes, verb_of
from wherry.kinds.catalog import KINDS
from wherry.objects.errors import ApiError

ROUTES = Routes({(kind.group, kind.version, kind.plural): kind for kind in KINDS})
POD = "/api/v1/namespaces/default/pods/a"


def verb(method: str, path: str) -> str:
    route = ROUTES.match(path)
    assert route is not None
    return verb_of(method, route, query_watch=False)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PATCH", f"{POD}/status", "patch"),
        ("PUT", f"{POD}/ephemeralcontainers", "update"),
        ("POST", f"{POD}/eviction", "create"),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/a/scale", "get"),
        ("PUT", "/api/v1/namespaces/a/finalize", "update"),
        ("POST", "/api/v1/namespaces", "create"),
        ("DELETE", "/api/v1/namespaces/default/pods", "deletecollection"),
    ],
)
def test_a_method_on_a_path_is_a_verb(method: str, path: str, expected: str) -> None:
    assert verb(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", f"{POD}/status", 405),
        ("POST", f"{POD}/status", 405),
        ("GET", f"{POD}/eviction", 405),
        ("DELETE", "/apis/apps/v1/namespaces/default/deployments/a/scale", 405),
        ("GET", "/api/v1/namespaces/a/finalize", 405),
        ("GET", f"{POD}/resize", 404),
        ("GET", f"{POD}/scale", 404),
        ("GET", "/api/v1/namespaces/default/configmaps/a/status", 404),
        ("POST", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/namespaces", 405),
    ],
)
def test_what_a_subresource_does_not_take_is_refused(method: str, path: str, code: int) -> None:
    with pytest.raises(ApiError) as raised:
        verb(method, path)
    assert raised.value.code == code
