"""A pod for one command: what it is, and what its states mean."""

import pytest

from wherry.objects import Obj
from wherry.replicas.oneoff import OneOff, exit_code, hopeless, name_for, pod, published, service, started


def seen(state: Obj, phase: str = "Pending", **more: object) -> Obj:
    return {"status": {"phase": phase, "containerStatuses": [{"state": state}], **more}}


def test_the_pod_is_never_restarted_and_has_what_was_asked() -> None:
    wanted = OneOff(
        name="web-1",
        namespace="shop",
        image="web:1",
        command=("serve",),
        environment={"A": "1"},
        ports=[(8080, 80)],
        stdin=True,
        tty=True,
    )
    made = pod(wanted)
    (container,) = made["spec"]["containers"]
    assert made["spec"]["restartPolicy"] == "Never"
    assert (container["args"], container["env"]) == (["serve"], [{"name": "A", "value": "1"}])
    assert (container["stdin"], container["stdinOnce"], container["tty"]) == (True, True, True)
    published_by = service(wanted, {"metadata": {"name": "web-1", "uid": "u"}})
    assert published_by["spec"]["ports"] == [{"name": "p8080", "port": 8080, "targetPort": 80}]
    assert published_by["metadata"]["ownerReferences"][0]["uid"] == "u"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", "busybox-x"),
        ("registry.test:5000/team/My_App:1.2", "my-app-x"),
        ("web@sha256:00", "web-x"),
        ("a" * 80, "a" * 40 + "-x"),
        ("_", "run-x"),
    ],
)
def test_names_tell_the_image(image: str, name: str) -> None:
    assert name_for(image, "x") == name


def test_how_it_ended_is_its_exit_code() -> None:
    assert exit_code(seen({"running": {}}, "Running")) is None
    assert exit_code(seen({"terminated": {"exitCode": 3}}, "Failed")) == 3
    assert exit_code({"status": {"phase": "Failed", "reason": "Evicted"}}) == 1
    assert started(seen({"terminated": {"exitCode": 0}}))
    assert not started({"status": {}})


def test_what_will_never_start_is_known_at_once() -> None:
    assert hopeless(seen({"waiting": {"reason": "ContainerCreating"}})) is None
    assert (
        hopeless(seen({"waiting": {"reason": "ErrImagePull", "message": "no such host"}}))
        == "ErrImagePull: no such host"
    )
    unschedulable = [{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}]
    assert hopeless({"status": {"conditions": unschedulable}}) == "Unschedulable: 0/1 nodes"
    assert hopeless({"status": {"phase": "Failed", "reason": "Evicted", "message": "disk"}}) == "Evicted: disk"


def test_ports_are_one_number_or_two() -> None:
    assert published("80") == (80, 80)
    assert published("8080:80") == (8080, 80)
    for wrong in ("", "80:", ":80", "x", "0", "70000:1", "1:2:3"):
        with pytest.raises(ValueError, match="is not PORT or PORT:CONTAINERPORT"):
            published(wrong)
