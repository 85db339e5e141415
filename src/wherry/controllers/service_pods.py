"""The pods behind a Service: who they are and which ports they answer on. For `endpointslice` and `endpoints`."""

from collections.abc import Iterable, Iterator

from wherry.client.lister import Lister
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.conditions import condition_of
from wherry.objects.pods import finished

REST_SECONDS = 0.008  # for each pod: a look costs as they are many, and of many that change at once one look is enough
HEADLESS = "service.kubernetes.io/headless"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def routed(service: Obj) -> bool:
    """Its endpoints are made from pods, not by hand."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def headless(service: Obj) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def pods_of(service: Obj, lister: Lister) -> tuple[Obj, ...]:
    """The selected pods that have an address and have not ended."""
    chosen = lister.select("Pod", service["metadata"]["namespace"], service["spec"]["selector"])
    return tuple(pod for pod in chosen if addresses(pod) and not finished(pod))


def addresses(pod: Obj) -> tuple[str, ...]:
    status = pod.get("status") or {}
    several = tuple(each["ip"] for each in status.get("podIPs") or () if each.get("ip"))
    return several or ((status["podIP"],) if status.get("podIP") else ())


def services_of(pod: Obj, lister: Lister) -> Iterator[Ref]:
    """The Services that select this pod, by the labels it has in this state."""
    labels = (pod["metadata"].get("labels") or {}).items()
    for service in lister.list("Service", pod["metadata"]["namespace"]):
        selector = service["spec"].get("selector")
        if selector and selector.items() <= labels:
            yield ref_of(service)


def resolved(service: Obj, pod: Obj) -> tuple[tuple[Obj, int], ...]:
    """Each port of the Service that this pod has, with the number that it has there."""
    return tuple(
        (port, number) for port in service["spec"].get("ports") or () if (number := target(port, pod)) is not None
    )


def target(port: Obj, pod: Obj) -> int | None:
    """The number of targetPort in this pod; None when no container names such a port."""
    wanted = port.get("targetPort") or port["port"]
    if isinstance(wanted, int):
        return wanted
    spec = pod["spec"]
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for container in (*spec["containers"], *sidecars):
        for each in container.get("ports") or ():
            if each.get("name") == wanted and each.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(each["containerPort"])
    return None


def stamped(metadata: Obj, service: Obj, pods: Iterable[Obj]) -> Obj:
    """`metadata` with the time of the change that it was written for, from which readers tell how late they are.

    The latest change of a pod's readiness stands for it (upstream, which remembers, has the earliest unwritten one).
    """
    annotations = metadata.get("annotations") or {}
    times = [service["metadata"]["creationTimestamp"], annotations.get(TRIGGER, "")]
    times += [(condition_of(pod, "Ready") or {}).get("lastTransitionTime") or "" for pod in pods]
    return {**metadata, "annotations": {**annotations, TRIGGER: max(times)}}


def reference(pod: Obj) -> Obj:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def hostname(service: Obj, pod: Obj) -> str:
    """The pod's own name under the Service's, when it asks for one."""
    spec = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == service["metadata"]["name"] else ""
