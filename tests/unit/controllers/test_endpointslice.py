"""EndpointSlices and Endpoints: the addresses behind a Service and their conditions."""

from typing import Any

from tests.support.model import Model, pod
from wherry.client.actions import Create, Delete, Update
from wherry.controllers.endpoints import ENDPOINTS
from wherry.controllers.endpointslice import ENDPOINTSLICE
from wherry.objects import Obj, Ref

SLICE = "EndpointSlice.discovery.k8s.io"


def service(**spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.7", "ports": ports, **spec},
    }


def backend(name: str, port: int = 8080) -> Obj:
    container = {"name": "app", "image": "app", "ports": [{"name": "web", "containerPort": port}]}
    return pod(name, {"app": "web"}, containers=[container])


def running(*names: str, **spec: Any) -> Model:
    model = Model(service(**spec))
    for name in names:
        model.start(model.put(backend(name)))
    model.settle((ENDPOINTSLICE, ENDPOINTS))
    return model


def test_a_ready_pod_is_an_endpoint_with_all_its_facts() -> None:
    model = running("a")
    (found,) = model.list(SLICE)
    target = model.get("Pod", "a")
    reference = {"kind": "Pod", "namespace": "default", "name": "a", "uid": target["metadata"]["uid"]}
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert found["endpoints"] == [
        {
            "addresses": [target["status"]["podIP"]],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": "node",
            "targetRef": reference,
        }
    ]
    assert found["metadata"]["labels"] == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    (subset,) = model.get("Endpoints", "web")["subsets"]
    assert subset == {
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "addresses": [{"ip": target["status"]["podIP"], "nodeName": "node", "targetRef": reference}],
    }


def test_a_pod_on_its_way_out_is_not_ready_but_still_serving() -> None:
    model = running("a")
    model.edit("Pod", "a", {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    model.settle((ENDPOINTSLICE, ENDPOINTS))
    (found,) = model.list(SLICE)
    assert found["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert model.get("Endpoints", "web")["subsets"] == []


def test_publish_not_ready_addresses_makes_all_ready() -> None:
    model = Model(service(publishNotReadyAddresses=True))
    starting = model.put(backend("a"))
    model.put({**starting, "status": {"phase": "Pending", "podIP": "10.0.0.9"}})
    model.settle((ENDPOINTSLICE, ENDPOINTS))
    (found,) = model.list(SLICE)
    assert found["endpoints"][0]["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert model.get("Endpoints", "web")["subsets"][0]["addresses"][0]["ip"] == "10.0.0.9"


def test_a_service_without_pods_has_one_empty_slice() -> None:
    model = running()
    (found,) = model.list(SLICE)
    assert (found["endpoints"], found["ports"]) == ([], [])


def test_named_ports_that_differ_go_to_slices_of_their_own() -> None:
    model = running("a")
    model.start(model.put(backend("b", port=9090)))
    model.settle((ENDPOINTSLICE, ENDPOINTS))
    assert {each["ports"][0]["port"]: len(each["endpoints"]) for each in model.list(SLICE)} == {8080: 1, 9090: 1}
    assert len(model.get("Endpoints", "web")["subsets"]) == 2


def test_a_slice_holds_at_most_a_hundred_and_endpoints_stay_where_they_are() -> None:
    model = running(*(f"p{number:03}" for number in range(250)))
    slices = model.list(SLICE)
    assert sorted(len(each["endpoints"]) for each in slices) == [50, 100, 100]
    model.remove(model.get("Pod", slices[0]["endpoints"][0]["targetRef"]["name"]))
    actions = model.look(ENDPOINTSLICE, model.get("Service", "web"))
    assert [type(action) for action in actions] in ([Update], [Update, Update])
    assert sum(len(each["endpoints"]) for each in model.list(SLICE)) == 249


def test_the_slice_stays_when_the_last_pod_goes_and_the_next_comes() -> None:
    model = running("a")
    (before,) = model.list(SLICE)
    model.remove(model.get("Pod", "a"))
    for port in (None, 8080, 9090):
        if port:
            for old in model.list("Pod"):
                model.remove(old)
            model.start(model.put(backend(f"next-{port}", port)))
        assert [type(each) for each in model.look(ENDPOINTSLICE, model.get("Service", "web"))] == [Update]
        (after,) = model.list(SLICE)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert [each["port"] for each in after["ports"]] == ([port] if port else [])
        assert model.look(ENDPOINTSLICE, model.get("Service", "web")) == []


def test_what_is_written_carries_the_time_of_the_change() -> None:
    model = running("a")
    model.later(5)
    model.start(model.put(backend("b")))
    model.later(5)
    model.settle((ENDPOINTSLICE, ENDPOINTS))
    for each in (*model.list(SLICE), model.get("Endpoints", "web")):
        stamp = each["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"]
        assert stamp == "2026-01-01T00:00:05Z"


def test_a_change_of_labels_wakes_the_service_that_was_left() -> None:
    model = running("a")
    before = model.get("Pod", "a")
    after = model.edit("Pod", "a", {"metadata": {"labels": {"app": "debug"}}})
    assert model.woken_by(ENDPOINTSLICE, after) == set()
    assert model.woken_by(ENDPOINTSLICE, before) == {Ref("Service", "default", "web")}


def test_headless_services_are_labelled() -> None:
    model = running("a", clusterIP="None")
    for each in (*model.list(SLICE), model.get("Endpoints", "web")):
        assert each["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_service_without_selector_is_left_to_its_owner() -> None:
    model = running(selector=None)
    assert model.list(SLICE) == ()
    assert model.list("Endpoints") == ()


def test_nothing_is_written_twice() -> None:
    model = running("a", "b")
    for controller in (ENDPOINTSLICE, ENDPOINTS):
        actions = model.look(controller, model.get("Service", "web"))
        assert not any(isinstance(action, Create | Update | Delete) for action in actions)
