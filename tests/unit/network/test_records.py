"""The cluster's names."""

import pytest

from tests.unit.network.objects import endpoint, service, slice_of
from wherry.client.mirror import Mirror
from wherry.network.records import Answer, Records
from wherry.objects import Obj

PORTS = [{"name": "http", "protocol": "TCP", "port": 80}, {"name": "dns", "protocol": "UDP", "port": 53}]


def records(*objects: Obj, domain: str = "cluster.local") -> Records:
    mirror = Mirror()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "ns"}}
    for revision, obj in enumerate((namespace, *objects)):
        obj["metadata"].setdefault("uid", f"uid-{revision}")
        mirror.apply(revision, obj, None)
    return Records(mirror, domain, "10.85.0.0/16", "10.96.0.0/16")


def headless(*endpoints: Obj, **spec: object) -> Records:
    return records(service("db", clusterIP="None", ports=PORTS[:1], **spec), slice_of("db", *endpoints))


def ask(known: Records, name: str, type: str = "A") -> tuple[bool, list[str]]:
    answer = known.lookup(name, type)
    assert answer is not None, name
    return answer.exists, [record.data for record in answer.records]


def test_a_service_has_its_cluster_address_and_no_address_of_the_other_family() -> None:
    known = records(service("web"))
    assert ask(known, "web.default.svc.cluster.local") == (True, ["10.96.0.10"])
    assert ask(known, "web.default.svc.cluster.local", "AAAA") == (True, [])


@pytest.mark.parametrize(
    "name",
    ["other.default.svc", "web.other.svc", "x.web.default.svc", "other.svc", "default", "a.b.c.web.default.svc", "x"],
)
def test_what_is_not_there_does_not_exist(name: str) -> None:
    assert ask(records(service("web")), f"{name}.cluster.local") == (False, [])


@pytest.mark.parametrize("name", ["", "svc.", "pod.", "default.svc.", "default.pod.", "_tcp.web.default.svc."])
def test_names_on_the_way_exist_without_records(name: str) -> None:
    assert ask(records(service("web")), f"{name}cluster.local") == (True, [])


def test_the_domain_is_what_the_configuration_says() -> None:
    known = records(service("web"), domain="shop.internal")
    assert ask(known, "web.default.svc.shop.internal") == (True, ["10.96.0.10"])
    assert known.lookup("web.default.svc.cluster.local", "A") is None


def test_a_headless_service_names_its_ready_endpoints() -> None:
    named = {**endpoint("10.85.0.2"), "hostname": "db-0"}
    known = headless(named, endpoint("10.85.0.3"), endpoint("10.85.0.4", ready=False))
    assert ask(known, "db.default.svc.cluster.local") == (True, ["10.85.0.2", "10.85.0.3"])
    assert ask(known, "db-0.db.default.svc.cluster.local") == (True, ["10.85.0.2"])
    assert ask(known, "10-85-0-3.db.default.svc.cluster.local") == (True, ["10.85.0.3"])
    assert ask(known, "10-85-0-4.db.default.svc.cluster.local") == (False, [])


def test_a_headless_service_without_endpoints_does_not_exist() -> None:
    assert ask(headless(), "db.default.svc.cluster.local") == (False, [])


def test_srv_names_port_and_target_and_adds_the_address() -> None:
    known = records(service("web", ports=PORTS))
    answer = known.lookup("_http._tcp.web.default.svc.cluster.local", "SRV")
    assert answer is not None
    assert [record.data for record in answer.records] == ["0 100 80 web.default.svc.cluster.local."]
    assert [record.data for record in answer.additional] == ["10.96.0.10"]
    assert ask(known, "_http._udp.web.default.svc.cluster.local", "SRV") == (False, [])
    assert ask(known, "_http._tcp.web.default.svc.cluster.local") == (True, [])
    assert len(ask(known, "web.default.svc.cluster.local", "SRV")[1]) == 2


def test_srv_of_a_headless_service_names_every_endpoint() -> None:
    known = headless({**endpoint("10.85.0.2"), "hostname": "db-0"}, endpoint("10.85.0.3"))
    _, targets = ask(known, "_http._tcp.db.default.svc.cluster.local", "SRV")
    ends = ("db.default.svc.cluster.local.",)
    assert targets == [f"0 50 8080 db-0.{ends[0]}", f"0 50 8080 10-85-0-3.{ends[0]}"]


def test_ptr_of_cluster_addresses_and_endpoints() -> None:
    known = records(
        service("web"),
        service("db", clusterIP="None"),
        slice_of("db", {**endpoint("10.85.0.2"), "hostname": "db-0"}),
    )
    assert ask(known, "10.0.96.10.in-addr.arpa", "PTR") == (True, ["web.default.svc.cluster.local."])
    assert ask(known, "2.0.85.10.in-addr.arpa", "PTR") == (True, ["db-0.db.default.svc.cluster.local."])
    assert ask(known, "9.0.85.10.in-addr.arpa", "PTR") == (False, [])


@pytest.mark.parametrize("name", ["1.1.1.10.in-addr.arpa", "10.in-addr.arpa", "x.0.96.10.in-addr.arpa", "example.org"])
def test_the_rest_of_the_world_is_not_ours(name: str) -> None:
    assert records().lookup(name, "PTR") is None


def test_an_external_name_is_an_alias() -> None:
    known = records(service("out", type="ExternalName", clusterIP="", externalName="db.example.org"))
    answer = known.lookup("out.default.svc.cluster.local", "A")
    assert answer is not None
    assert [(record.type, record.data) for record in answer.records] == [("CNAME", "db.example.org.")]


def test_pods_have_names_by_their_addresses() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default"}}
    known = records({**pod, "status": {"podIP": "10.85.0.7"}})
    assert ask(known, "10-85-0-7.default.pod.cluster.local") == (True, ["10.85.0.7"])
    assert ask(known, "10-85-0-8.default.pod.cluster.local") == (False, [])


def test_the_specification_s_version_is_told() -> None:
    assert ask(records(), "dns-version.cluster.local", "TXT") == (True, ['"1.1.0"'])


def test_an_answer_without_records_says_which_zone_it_is_about() -> None:
    assert records().lookup("x.cluster.local", "A") == Answer(False, zone="cluster.local")
    reverse = records().lookup("9.0.85.10.in-addr.arpa", "PTR")
    assert reverse is not None
    assert reverse.zone == "85.10.in-addr.arpa"
