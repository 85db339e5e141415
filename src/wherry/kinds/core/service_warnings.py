"""What of a Service is allowed and has no effect, told in the answer to the write, in upstream's words."""

from collections.abc import Iterator

from wherry.kinds.core import address_warnings
from wherry.objects import Obj

_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


def of_service(new: Obj, _old: Obj | None) -> Iterator[str]:
    spec = new["spec"]
    type_, outer = spec.get("type", "ClusterIP"), spec.get("externalIPs") or ()
    if _HINTS in (new["metadata"].get("annotations") or {}):
        yield f"annotation {_HINTS} is deprecated, please use {_MODE} instead"
    headless = spec.get("clusterIP") == "None"
    if not headless and type_ != "ExternalName":
        for index, text in enumerate(spec.get("clusterIPs") or ()):
            yield from address_warnings.ip(f"spec.clusterIPs[{index}]", text)
    if headless and type_ == "ClusterIP":
        if spec.get("loadBalancerIP"):
            yield "spec.loadBalancerIP is ignored for headless services"
        if outer:
            yield "spec.externalIPs is ignored for headless services"
        if spec.get("sessionAffinity", "None") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    for index, text in enumerate(outer):
        yield from address_warnings.ip(f"spec.externalIPs[{index}]", text)
    if spec.get("loadBalancerIP"):
        yield from address_warnings.ip("spec.loadBalancerIP", spec["loadBalancerIP"])
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from address_warnings.cidr(f"spec.loadBalancerSourceRanges[{index}]", text)
    if type_ == "ExternalName" and outer:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if type_ != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
