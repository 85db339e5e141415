"""Which image in a folder's manifests is the one that its Dockerfile builds."""

import pytest

from wherry.deploy.errors import InputError
from wherry.deploy.folder import Manifest
from wherry.deploy.images import own_image, swapped


def workload(*images: str, kind: str = "Deployment") -> Manifest:
    spec = {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]}
    inner = {"spec": {"template": {"spec": spec}}}
    return Manifest({"kind": kind, "spec": {"jobTemplate": inner} if kind == "CronJob" else inner["spec"]}, "a.yaml")


@pytest.mark.parametrize(
    ("images", "app", "configured", "own"),
    [
        (["myregistry/webapp:latest"], "article", "", "myregistry/webapp:latest"),
        (["postgres:16", "registry:5000/team/shop:2"], "anything", "", "registry:5000/team/shop:2"),
        (["team/shop:2", "team/worker:2"], "shop", "", "team/shop:2"),
        (["team/shop:2", "team/worker:2"], "x", "team/worker", "team/worker:2"),
        (["nginx:1"], "nginx", "", "nginx:1"),
        (["team/shop:1", "team/shop:2"], "x", "", "team/shop:1"),
    ],
)
def test_the_own_image_is_found(images: list[str], app: str, configured: str, own: str) -> None:
    assert own_image([workload(*images)], app, configured) == own


@pytest.mark.parametrize(
    ("images", "configured"), [(["a/one", "a/two"], ""), (["nginx"], ""), ([], ""), (["a/one"], "a/other")]
)
def test_what_is_not_clear_is_asked_for(images: list[str], configured: str) -> None:
    with pytest.raises(InputError):
        own_image([workload(*images)], "x", configured)


def test_the_image_is_swapped_wherever_it_is_named_and_nowhere_else() -> None:
    before = [workload("team/shop:1", "redis:7"), workload("team/shop:2", kind="CronJob"), workload("team/shop-two:1")]
    after = swapped(before, "team/shop:1", "team/shop@sha256:abc")
    assert after[0].object["spec"]["template"]["spec"]["containers"] == [
        {"name": "c0", "image": "team/shop@sha256:abc"},
        {"name": "c1", "image": "redis:7"},
    ]
    template = after[1].object["spec"]["jobTemplate"]["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "team/shop@sha256:abc"
    assert after[2] == before[2]
    assert before[0].object["spec"]["template"]["spec"]["containers"][0]["image"] == "team/shop:1"
