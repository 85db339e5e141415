"""What a Service gets, keeps and gives back."""

import pytest

from tests.unit.apiserver.verbs.conftest import said, service
from wherry.apiserver.local import LocalClient
from wherry.objects import Obj
from wherry.objects.errors import Invalid


async def test_a_service_says_its_address_family(client: LocalClient) -> None:
    spec = (await client.create(service()))["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"clusterIP": "x"}, "spec.clusterIPs[0]: Invalid value: "),
        ({"ports": [{"port": 1, "nodePort": 30005}]}, "spec.ports[0].nodePort: Forbidden: may not be used when "),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        ({"ipFamilyPolicy": "RequireDualStack"}, 'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '),
    ],
)
async def test_what_a_service_cannot_have(client: LocalClient, spec: Obj, error: str) -> None:
    with pytest.raises(Invalid) as raised:
        await client.create(service(**spec))
    assert said(raised)[0].startswith(error)


async def test_a_refused_service_gives_back_what_it_was_given(client: LocalClient) -> None:
    wanted: Obj = {"type": "NodePort", "clusterIP": "10.9.0.77", "ports": [{"port": 80, "nodePort": 30077}]}
    with pytest.raises(Invalid, match="sessionAffinity"):
        await client.create(service(**wanted, sessionAffinity="Odd"))
    ports = [{"name": "a", "port": 80, "nodePort": 30077}, {"name": "b", "port": 81, "nodePort": 5}]
    with pytest.raises(Invalid, match="provided port is not in the valid range"):
        await client.create(service(**{**wanted, "ports": ports}))
    await client.create(service(**wanted))
    more = {"spec": {"ports": [{"name": "a", "port": 80, "nodePort": 30078}], "sessionAffinity": "Odd"}}
    with pytest.raises(Invalid, match="sessionAffinity"):
        await client.patch("Service", "default", "web", more)
    await client.create(service("other", type="NodePort", ports=[{"port": 80, "nodePort": 30078}]))
    with pytest.raises(Invalid, match="provided port is already allocated"):
        await client.create(service("third", type="NodePort", ports=[{"port": 80, "nodePort": 30077}]))


async def test_a_service_whose_last_finalizer_goes_gives_back_its_port(client: LocalClient) -> None:
    wanted: Obj = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30079}]}
    held = service(**wanted)
    held["metadata"]["finalizers"] = ["example.com/f"]
    await client.create(held)
    await client.delete("Service", "default", "web")
    await client.patch("Service", "default", "web", {"metadata": {"finalizers": None}})
    await client.create(service("other", **wanted))


async def test_an_address_does_not_change(client: LocalClient) -> None:
    await client.create(service())
    with pytest.raises(Invalid, match="may not change once set"):
        await client.patch("Service", "default", "web", {"spec": {"clusterIP": "10.9.0.200", "clusterIPs": None}})
