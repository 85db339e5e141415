"""What a write may change, and what the server says of one that it may not."""

from typing import Any

import pytest

from tests.unit.apiserver.verbs.conftest import meta, said, service
from wherry.apiserver.local import LocalClient
from wherry.apiserver.verbs.context import DeleteOptions, Target
from wherry.apiserver.verbs.delete import delete
from wherry.apiserver.verbs.subresources import check_body
from wherry.client.client import Patch
from wherry.objects import Obj, kind_of
from wherry.objects.errors import ApiError, BadRequest, Conflict, Forbidden, Invalid

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1"}


def pod(name: str = "web", **spec: Any) -> Obj:
    containers = [{"name": "app", "image": "app:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name), "spec": {"containers": containers, **spec}}


def deployment(name: str = "web", **spec: Any) -> Obj:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(name), "spec": spec}


def config(name: str = "a", **more: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name), "data": {"a": "1"}, **more}


def owned(obj: Obj) -> list[str]:
    """The fields of `spec` that anybody owns."""
    return sorted(
        {field for entry in obj["metadata"]["managedFields"] for field in entry["fieldsV1"].get("f:spec", {})}
    )


# -- pods' conditions


async def test_a_pods_conditions_have_a_probe_time_of_null_and_the_same_status_is_no_write(client: LocalClient) -> None:
    made = await client.create(pod())
    status = {**made["status"], "conditions": [{"type": "Ready", "status": "False"}]}
    written = await client.update({**made, "status": status}, subresource="status")
    (condition,) = written["status"]["conditions"]
    assert condition["lastProbeTime"] is None
    again = await client.update({**written, "status": status}, subresource="status")
    assert again["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]


async def test_a_bound_pods_condition_has_a_probe_time_of_null(client: LocalClient) -> None:
    await client.create(pod())
    await client.post("Pod", "default", "web", "binding", {"target": {"name": "node"}})
    bound = await client.get("Pod", "default", "web")
    assert [one["lastProbeTime"] for one in bound["status"]["conditions"]] == [None]
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    both = await client.patch("Pod", "default", "web", patch, form=Patch.STRATEGIC, subresource="status")
    assert [one["lastProbeTime"] for one in both["status"]["conditions"]] == [None, None]


# -- generation


async def test_a_deployments_annotations_count_as_its_desired_state(client: LocalClient) -> None:
    made = await client.create(deployment())
    labelled = await client.patch("Deployment.apps", "default", "web", {"metadata": {"labels": {"a": "b"}}})
    noted = await client.patch("Deployment.apps", "default", "web", {"metadata": {"annotations": {"a": "b"}}})
    assert [each["metadata"]["generation"] for each in (made, labelled, noted)] == [1, 1, 2]


async def test_an_empty_map_is_no_change(client: LocalClient) -> None:
    made = await client.create(deployment())
    same = await client.patch(
        "Deployment.apps", "default", "web", {"spec": {"template": {"spec": {"nodeSelector": {}}}}}
    )
    assert same == made


# -- status


async def test_a_status_write_changes_metadata_and_status_but_not_the_spec(client: LocalClient) -> None:
    await client.create(service(type="LoadBalancer"))
    patch = {
        "metadata": {"labels": {"l": "1"}, "annotations": {"a": "1"}, "finalizers": ["example.com/f"]},
        "spec": {"selector": {"app": "other"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
    }
    new = await client.patch("Service", "default", "web", patch, subresource="status")
    kept = {key: new["metadata"].get(key) for key in ("labels", "annotations", "finalizers")}
    assert kept == {"labels": {"l": "1"}, "annotations": {"a": "1"}, "finalizers": ["example.com/f"]}
    assert new["spec"]["selector"] == {"app": "web"}
    assert new["status"]["loadBalancer"]["ingress"] == [{"ip": "10.0.0.1", "ipMode": "VIP"}]


async def test_a_status_write_keeps_a_deployments_labels_and_a_pods_owners(client: LocalClient) -> None:
    await client.create(deployment())
    patch = {"metadata": {"labels": {"l": "1"}, "annotations": {"a": "1"}}, "status": {"collisionCount": 1}}
    new = await client.patch("Deployment.apps", "default", "web", patch, subresource="status")
    assert "labels" not in new["metadata"]
    assert new["metadata"]["annotations"] == {"a": "1"}
    await client.create(pod())
    new = await client.patch("Pod", "default", "web", {"metadata": {"ownerReferences": [OWNER]}}, subresource="status")
    assert "ownerReferences" not in new["metadata"]


@pytest.mark.parametrize(
    ("obj", "status", "errors"),
    [
        (
            deployment(),
            {"replicas": -1},
            [
                "status.replicas: Invalid value: -1: must be greater than or equal to 0",
                "status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas",
                "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas",
            ],
        ),
        (
            service(),
            {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
            ["status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"],
        ),
        (
            pod(),
            {"podIP": "1.2"},
            ['status.podIPs[0]: Invalid value: "1.2": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
        ),
    ],
)
async def test_a_status_is_validated(client: LocalClient, obj: Obj, status: Obj, errors: list[str]) -> None:
    made = await client.create(obj)
    kind = kind_of(obj)
    with pytest.raises(Invalid) as error:
        await client.patch(kind, "default", "web", {"status": status}, subresource="status")
    assert said(error) == errors
    assert await client.get(kind, "default", "web") == made


async def test_only_an_ending_namespace_is_terminating(client: LocalClient) -> None:
    with pytest.raises(Invalid, match="may only be 'Active' if `deletionTimestamp` is empty"):
        await client.patch("Namespace", "", "default", {"status": {"phase": "Terminating"}}, subresource="status")


async def test_a_container_that_has_ended_for_good_stays_so(client: LocalClient) -> None:
    await client.create(pod(restartPolicy="Never"))
    ended = {"containerStatuses": [{"name": "app", "state": {"terminated": {"exitCode": 1}}}]}
    await client.patch("Pod", "default", "web", {"status": ended}, subresource="status")
    running = {"containerStatuses": [{"name": "app", "state": {"running": {}}}]}
    with pytest.raises(Invalid, match="may not be transitioned to non-terminated state"):
        await client.patch("Pod", "default", "web", {"status": running}, subresource="status")


# -- who owns what the server adds


async def test_what_the_server_adds_is_nobodys(client: LocalClient) -> None:
    made = await client.create(pod())
    assert made["spec"]["volumes"]
    assert made["spec"]["tolerations"]
    assert not {"f:volumes", "f:tolerations", "f:serviceAccount", "f:priority"} & set(owned(made))
    assert not {"f:clusterIP", "f:clusterIPs", "f:ipFamilies"} & set(owned(await client.create(service())))


async def test_the_scheduler_does_not_own_the_node_name(client: LocalClient) -> None:
    await client.create(pod())
    await client.post("Pod", "default", "web", "binding", {"target": {"kind": "Node", "name": "n"}})
    assert "f:nodeName" not in owned(await client.get("Pod", "default", "web"))


# -- owners


async def test_an_owner_said_twice_is_kept_once_with_a_warning(client: LocalClient) -> None:
    made = await client.create({**config(), "metadata": meta("a", ownerReferences=[OWNER, OWNER])})
    assert made["metadata"]["ownerReferences"] == [OWNER]
    assert client.options.warnings[-1].endswith("duplicate UID(s) observed: 1")


# -- parts of a pod


async def test_ephemeral_containers_are_added_by_their_subresource_alone(client: LocalClient) -> None:
    await client.create(pod())
    debug = {"name": "debug", "image": "busybox", "stdin": True}
    patch = {"metadata": {"labels": {"x": "y"}}, "spec": {"restartPolicy": "Never", "ephemeralContainers": [debug]}}
    new = await client.patch("Pod", "default", "web", patch, form=Patch.STRATEGIC, subresource="ephemeralcontainers")
    assert [each["name"] for each in new["spec"]["ephemeralContainers"]] == ["debug"]
    assert new["spec"]["restartPolicy"] == "Always"
    assert "labels" not in new["metadata"]
    assert new["metadata"]["generation"] == 2
    with pytest.raises(Invalid, match="pod updates may not change fields"):
        await client.patch("Pod", "default", "web", {"spec": {"ephemeralContainers": []}})


@pytest.mark.parametrize(
    ("containers", "error"),
    [
        ([], 'existing ephemeral containers "debug" may not be removed'),
        ([{"name": "debug", "image": "other"}], 'existing ephemeral containers "debug" may not be changed'),
        ([{"name": "debug", "image": "busybox"}, {"name": "app", "image": "x"}], 'Duplicate value: "app"'),
    ],
)
async def test_ephemeral_containers_stay(client: LocalClient, containers: list[Obj], error: str) -> None:
    await client.create(pod())
    add = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    await client.patch("Pod", "default", "web", add, subresource="ephemeralcontainers")
    patch = {"spec": {"ephemeralContainers": containers}}
    with pytest.raises(Invalid, match=error):
        await client.patch("Pod", "default", "web", patch, subresource="ephemeralcontainers")


async def test_a_new_pod_has_no_ephemeral_containers(client: LocalClient) -> None:
    with pytest.raises(Invalid, match="cannot be set on create"):
        await client.create(pod(ephemeralContainers=[{"name": "debug", "image": "busybox"}]))


async def test_a_pod_that_waits_at_a_gate_is_not_bound(client: LocalClient) -> None:
    await client.create(pod(schedulingGates=[{"name": "example.com/g"}]))
    with pytest.raises(Conflict, match=r"has non-empty \.spec\.schedulingGates"):
        await client.post("Pod", "default", "web", "binding", {"target": {"name": "n"}})


async def test_an_eviction_says_why_the_pod_ends(client: LocalClient) -> None:
    await client.create(pod())
    await client.post("Pod", "default", "web", "binding", {"target": {"name": "n"}})
    with pytest.raises(BadRequest, match="name in URL does not match"):
        await client.post("Pod", "default", "web", "eviction", {"metadata": {"name": "other"}})
    await client.post("Pod", "default", "web", "eviction", {"metadata": {"name": "web"}})
    ending = await client.get("Pod", "default", "web")
    assert ending["metadata"]["deletionTimestamp"]
    assert [each["reason"] for each in ending["status"]["conditions"][1:]] == ["EvictionByEvictionAPI"]


async def test_the_usual_tolerations_come_back_when_a_client_replaces_them(client: LocalClient) -> None:
    await client.create(pod())
    new = await client.patch("Pod", "default", "web", {"spec": {"tolerations": [{"key": "z", "operator": "Exists"}]}})
    assert [each["key"].rpartition("/")[2] for each in new["spec"]["tolerations"]] == ["z", "not-ready", "unreachable"]


async def test_a_priority_is_computed_and_not_chosen(client: LocalClient) -> None:
    with pytest.raises(Forbidden, match=r"the integer value of priority \(5\) must not be provided"):
        await client.create(pod(priority=5))


async def test_a_refusal_does_not_name_what_was_made_up(client: LocalClient) -> None:
    wanted = {**pod(serviceAccountName="nope"), "metadata": {"generateName": "web-", "namespace": "default"}}
    with pytest.raises(Forbidden, match=r'^pods "web-" is forbidden: error looking up service account'):
        await client.create(wanted)


async def test_a_pod_without_a_spec_is_invalid(client: LocalClient) -> None:
    with pytest.raises(Invalid, match=r"spec\.containers: Required value"):
        await client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta("web")})


# -- names, apply


async def test_a_put_names_its_object(client: LocalClient) -> None:
    made = await client.create(config())
    with pytest.raises(Invalid, match="field is immutable"):
        await client.patch("ConfigMap", "default", "a", {"metadata": {"uid": "other"}})
    with pytest.raises(BadRequest, match=r"the name of the object \(b\) does not match the name on the URL \(a\)"):
        await client.patch("ConfigMap", "default", "a", {"metadata": {"name": "b"}})
    assert await client.get("ConfigMap", "default", "a") == made


async def test_a_patch_that_makes_something_else_is_invalid(client: LocalClient) -> None:
    await client.create(config())
    with pytest.raises(Invalid, match="cannot unmarshal number into Go struct field"):
        await client.patch("ConfigMap", "default", "a", {"data": {"a": 5}})


async def test_an_apply_knows_no_field_that_it_may_drop(client: LocalClient) -> None:
    with pytest.raises(ApiError) as raised:
        await client.apply(config(extra=1), manager="m")
    expected = (
        "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .extra: field not declared in schema"
    )
    assert (raised.value.message, raised.value.code, "reason" in raised.value.status()) == (expected, 500, False)
    with pytest.raises(ApiError, match="not found"):
        await client.get("ConfigMap", "default", "a")


async def test_a_dry_run_of_a_deletion_shows_what_it_would_leave(client: LocalClient) -> None:
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    target = Target(client.registry.kinds["Namespace"], "", "shop")
    record, gone = await delete(client.registry, target, DeleteOptions(dry_run=True))
    assert (record.memo["status"]["phase"], gone) == ("Terminating", False)
    assert (await client.get("Namespace", "", "shop"))["status"]["phase"] == "Active"


async def test_finalizers_of_a_namespace_are_names(client: LocalClient) -> None:
    with pytest.raises(Invalid, match="name is neither a standard finalizer name nor is it fully qualified"):
        await client.update(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "default"},
                "spec": {"finalizers": ["x"]},
            },
            subresource="finalize",
        )


# -- bodies that are something else


@pytest.mark.parametrize("junk", ["x", 5, 1.5, ["x"], [None], True])
@pytest.mark.parametrize("form", [Patch.MERGE, Patch.STRATEGIC, Patch.JSON])
async def test_metadata_that_is_none_is_refused(client: LocalClient, junk: Any, form: Patch) -> None:
    made = await client.create(config())
    patch: Any = {"metadata": junk}
    if form is Patch.JSON:
        patch = [{"op": "replace", "path": "/metadata", "value": junk}]
    with pytest.raises((Invalid, BadRequest)):
        await client.patch("ConfigMap", "default", "a", patch, form=form)
    with pytest.raises(ApiError):
        await client.apply({**config(), "metadata": junk} | {"metadata": {"name": "a", "labels": junk}}, manager="m")
    assert await client.get("ConfigMap", "default", "a") == made


@pytest.mark.parametrize(
    ("subresource", "body"),
    [
        ("binding", {"target": "n"}),
        ("binding", []),
        ("eviction", {"deleteOptions": 5}),
        ("eviction", "x"),
        ("token", {"spec": {"expirationSeconds": "10%"}}),
        ("token", None),
        ("scale", {"spec": {"replicas": "x"}}),
        ("scale", {"metadata": 5}),
    ],
)
async def test_bodies_of_subresources_have_types(client: LocalClient, subresource: str, body: Any) -> None:
    target = Target(client.registry.kinds["Pod"], "default", "web", subresource)
    with pytest.raises(BadRequest):
        check_body(client.registry, target, body)
