"""From a name to pods, on a server's answers as values."""

from typing import Any, cast

import pytest

from wherry.client.client import Client, Listed
from wherry.objects import Obj
from wherry.objects.errors import NotFound
from wherry.replicas.find import Replicas, Unknown, choose, container_of, find


def pod(name: str, labels: dict[str, str] | None = None, **more: Any) -> Obj:
    meta = {"name": name, "namespace": "default", "uid": name, "labels": labels or {}, "creationTimestamp": "2030"}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "c"}]},
        "status": status,
    } | more


def deployment(name: str, app: str = "") -> Obj:
    labels = {"wherry.io/app": app} if app else {}
    meta = {"name": name, "namespace": "default", "labels": labels}
    spec = {"selector": {"matchLabels": {"run": name}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


class Server:
    """Answers get and list from what it was given."""

    def __init__(self, **objects: list[Obj]) -> None:
        self.objects = objects

    def _of(self, kind: str) -> list[Obj]:
        return self.objects.get(kind.partition(".")[0].lower(), [])

    async def get(self, kind: str, namespace: str, name: str) -> Obj:
        for obj in self._of(kind):
            if obj["metadata"]["name"] == name:
                return obj
        raise NotFound(f"{kind} {name} not found")

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Listed:
        key, _, value = labels.partition("=")
        found = [obj for obj in self._of(kind) if not key or obj["metadata"]["labels"].get(key) == value]
        return Listed("1", found)


def server(**objects: list[Obj]) -> Client:
    return cast("Client", Server(**objects))


async def test_an_app_means_all_its_workloads() -> None:
    found = await find(server(deployment=[deployment("front", "shop"), deployment("back", "shop")]), "default", "shop")
    assert pod("a", {"run": "front"}) in found
    assert pod("b", {"run": "back"}) in found
    assert pod("c", {"run": "other"}) not in found
    assert found.several


async def test_a_bare_name_means_a_deployment_before_a_pod_and_a_kind_says_which() -> None:
    known = server(deployment=[deployment("web")], pod=[pod("web"), pod("web-1", {"run": "web"})])
    assert pod("web-1", {"run": "web"}) in await find(known, "default", "web")
    assert pod("web") not in await find(known, "default", "deploy/web")
    assert await find(known, "default", "pod/web") == Replicas("default", pod="web")
    assert await find(known, "default", "web-1") == Replicas("default", pod="web-1")


async def test_pods_of_another_namespace_are_not_meant() -> None:
    found = await find(server(deployment=[deployment("web")]), "default", "web")
    other = pod("x", {"run": "web"})
    other["metadata"]["namespace"] = "other"
    assert other not in found


async def test_a_service_means_the_pods_that_it_selects() -> None:
    service = {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}
    bare = {"kind": "Service", "metadata": {"name": "bare"}, "spec": {}}
    known = server(service=[service, bare])
    assert pod("a", {"app": "web"}) in await find(known, "default", "svc/web")
    with pytest.raises(Unknown, match="Service bare selects no pods"):
        await find(known, "default", "svc/bare")


async def test_a_name_that_is_not_there_gets_the_nearest() -> None:
    known = server(deployment=[deployment("web")], pod=[pod("web-1")])
    with pytest.raises(Unknown, match="'wbe' in namespace default; did you mean web"):
        await find(known, "default", "wbe")
    with pytest.raises(Unknown, match="there is web, web-1"):
        await find(known, "default", "zzzzzz")
    with pytest.raises(Unknown, match="'cm' has no pods: name one of"):
        await find(known, "default", "cm/x")


def test_the_newest_ready_replica_is_chosen() -> None:
    old, new, newest = pod("old"), pod("new"), pod("newest")
    new["metadata"]["creationTimestamp"] = "2031"
    newest["metadata"]["creationTimestamp"] = "2032"
    newest["status"]["conditions"] = []
    assert choose([old, newest, new])["metadata"]["name"] == "new"
    assert choose([newest])["metadata"]["name"] == "newest"


def test_where_none_runs_it_is_said_why() -> None:
    waiting = pod(
        "web-1", status={"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}
    )
    with pytest.raises(Unknown, match="no replica runs: web-1 is ErrImagePull"):
        choose([waiting])
    with pytest.raises(Unknown, match="it may be scaled to 0"):
        choose([])


def test_the_container_is_the_one_asked_for_the_default_or_the_first() -> None:
    several = pod("a", spec={"initContainers": [{"name": "i"}], "containers": [{"name": "c"}, {"name": "d"}]})
    assert container_of(several) == "c"
    assert container_of(several, "i") == "i"
    several["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "d"}
    assert container_of(several) == "d"
    with pytest.raises(Unknown, match="no container 'x': it has i, c, d"):
        container_of(several, "x")
