"""Manifests in the node's registry: names and tags, what is refused, what hangs on an image, deletion."""

import os

import orjson
import pytest

from tests.contract.registry.conftest import Pushable, World, code, descriptor, digest_of, pushable
from tests.support.content import FakeContent
from wherry.images.layout import INDEX, MANIFEST
from wherry.images.registry.client import DOCKER_INDEX, DOCKER_MANIFEST
from wherry.node.registry_content import RegistryContent


async def test_a_pushed_image_has_its_own_name_and_one_below_each_address(world: World, name: str) -> None:
    made = await world.image("1.0", name=name)
    for path in (f"/v2/{name}/manifests/1.0", f"/v2/{name}/manifests/{made.digest}"):
        status, headers, body = await world.ask("GET", path)
        assert (status, headers["Content-Type"], body) == (200, MANIFEST, made.manifest)
        status, headers, body = await world.ask("HEAD", path)
        assert (status, headers["Docker-Content-Digest"]) == (200, made.digest)
        assert headers["Content-Length"] == str(len(made.manifest))
    names = {one.name for one in await world.content.records() if one.target.digest == made.digest}
    hosts = ("docker.io", "127.0.0.1:5050", "localhost:5050")
    assert names == {f"{host}/{name}{end}" for host in hosts for end in (":1.0", f"@{made.digest}")}


@pytest.mark.root
async def test_pods_have_the_image_when_the_push_is_answered(real: World, name: str) -> None:
    assert real.containerd is not None
    assert isinstance(real.content, RegistryContent)
    made = await real.image("1.0", name=name)
    runtime = real.content._runtime
    for written in (f"127.0.0.1:5050/{name}:1.0", f"{name}:1.0", f"localhost:5050/{name}@{made.digest}"):
        found = await runtime.image(written)
        assert found is not None
        assert found.id == digest_of(made.config)
        assert found.pinned


def changed(made: Pushable, **fields: object) -> bytes:
    return orjson.dumps({**orjson.loads(made.manifest), **fields})


async def test_a_manifest_that_lacks_a_blob_is_refused(world: World, name: str) -> None:
    made = pushable()
    await world.blob(made.config)
    status, _, body = await world.ask("PUT", f"/v2/{name}/manifests/1", made.manifest, Content_Type=MANIFEST)
    assert (status, code(body)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert digest_of(made.layer) in body.decode()
    assert (await world.ask("GET", f"/v2/{name}/tags/list"))[0] == 404


async def test_manifests_that_are_none_are_refused(fake: World) -> None:
    made = pushable()
    await fake.blob(made.layer)
    await fake.blob(made.config)
    wrong_size = changed(made, config={**descriptor("x/y", made.config), "size": 1})
    for data, kind, status, word in (
        (b"{", MANIFEST, 400, "MANIFEST_INVALID"),
        (b"[]", MANIFEST, 400, "MANIFEST_INVALID"),
        (made.manifest, INDEX, 400, "MANIFEST_INVALID"),
        (made.manifest, "application/vnd.docker.distribution.manifest.v1+json", 400, "MANIFEST_INVALID"),
        (changed(made, schemaVersion=1), MANIFEST, 400, "MANIFEST_INVALID"),
        (changed(made, layers=[{"digest": "../../x"}]), MANIFEST, 400, "MANIFEST_INVALID"),
        (changed(made, layers=[]), MANIFEST, 400, "MANIFEST_INVALID"),
        (changed(made, annotations=[1]), MANIFEST, 400, "MANIFEST_INVALID"),
        (wrong_size, MANIFEST, 400, "SIZE_INVALID"),
        (b" " * (5 << 20), MANIFEST, 413, "SIZE_INVALID"),
    ):
        got, _, body = await fake.ask("PUT", "/v2/app/manifests/1", data, Content_Type=kind)
        assert (got, code(body)) == (status, word), data[:300]
    assert await fake.manifest(made.manifest, digest_of(b"another")) == 400
    assert not await fake.content.records()


async def test_a_layer_that_is_not_what_the_config_says_is_refused(world: World, name: str) -> None:
    """Its snapshot would have the name of another image's."""
    for made in (pushable(diff_id=digest_of(b"another")), pushable(layer=b"no archive" * 100)):
        await world.blob(made.layer)
        await world.blob(made.config)
        status, _, body = await world.ask("PUT", f"/v2/{name}/manifests/1", made.manifest, Content_Type=MANIFEST)
        assert (status, code(body)) == (400, "MANIFEST_INVALID")
    assert (await world.ask("GET", f"/v2/{name}/tags/list"))[0] == 404


async def test_an_image_for_another_platform_is_kept_and_not_unpacked(world: World, name: str) -> None:
    made = await world.image("1", pushable(platform="arm64", diff_id=digest_of(b"another")), name)
    assert (await world.ask("GET", f"/v2/{name}/manifests/1"))[2] == made.manifest


async def test_indexes_and_dockers_own_types(world: World, name: str) -> None:
    first, second = await world.image("a", name=name), pushable()
    await world.blob(second.layer)
    await world.blob(second.config)
    docker = changed(second, mediaType=DOCKER_MANIFEST)
    assert await world.manifest(docker, digest_of(docker), DOCKER_MANIFEST, name) == 201
    listed = [descriptor(MANIFEST, first.manifest), descriptor(DOCKER_MANIFEST, docker)]
    for kind in (INDEX, DOCKER_INDEX):
        index = orjson.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": listed})
        assert await world.manifest(index, "all", kind, name) == 201
        status, headers, body = await world.ask("GET", f"/v2/{name}/manifests/all")
        assert (status, headers["Content-Type"], body) == (200, kind, index)
    lacking = orjson.dumps({"schemaVersion": 2, "manifests": [*listed, descriptor(MANIFEST, os.urandom(9))]})
    assert await world.manifest(lacking, "all", INDEX, name) == 404
    assert (await world.ask("GET", f"/v2/{name}/manifests/all"))[2] == index


async def test_tags_come_in_order_and_in_pages(world: World, name: str) -> None:
    made = await world.image("b", name=name)
    for tag in ("c", "a", "d"):
        assert await world.manifest(made.manifest, tag, name=name) == 201
    status, _, body = await world.ask("GET", f"/v2/{name}/tags/list")
    assert (status, orjson.loads(body)) == (200, {"name": name, "tags": ["a", "b", "c", "d"]})
    seen, path = [], f"/v2/{name}/tags/list?n=3"
    while path:
        _, headers, body = await world.ask("GET", path)
        seen.append(orjson.loads(body)["tags"])
        link = headers.get("Link", "")
        path = link.partition(">")[0].removeprefix("<")
        assert not link or link.endswith('; rel="next"')
    assert seen == [["a", "b", "c"], ["d"]]
    assert orjson.loads((await world.ask("GET", f"/v2/{name}/tags/list?n=0"))[2])["tags"] == []
    assert (await world.ask("GET", f"/v2/{name}/tags/list?n=x"))[0] == 400


async def test_the_catalog_has_each_repository_once(world: World, name: str) -> None:
    await world.image("1", name=name)
    _, _, body = await world.ask("GET", "/v2/_catalog")
    assert orjson.loads(body)["repositories"].count(name) == 1


async def test_what_hangs_on_an_image_is_found_by_it(world: World, name: str) -> None:
    subject = await world.image("1", name=name)
    hung = {}
    for kind in ("application/spdx+json", "application/x.signature"):
        config = await world.blob(b"{}")
        layer = os.urandom(50)
        await world.blob(layer)
        manifest = orjson.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": kind,
                "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
                "layers": [descriptor(kind, layer)],
                "subject": descriptor(MANIFEST, subject.manifest),
                "annotations": {"made": "here"},
            }
        )
        path = f"/v2/{name}/manifests/{digest_of(manifest)}"
        status, headers, _ = await world.ask("PUT", path, manifest, Content_Type=MANIFEST)
        assert (status, headers["OCI-Subject"]) == (201, subject.digest)
        hung[kind] = digest_of(manifest)
    status, headers, body = await world.ask("GET", f"/v2/{name}/referrers/{subject.digest}")
    assert (status, headers["Content-Type"]) == (200, INDEX)
    assert {one["artifactType"]: one["digest"] for one in orjson.loads(body)["manifests"]} == hung
    path = f"/v2/{name}/referrers/{subject.digest}?artifactType=application/x.signature"
    _, headers, body = await world.ask("GET", path)
    assert headers["OCI-Filters-Applied"] == "artifactType"
    (one,) = orjson.loads(body)["manifests"]
    assert (one["digest"], one["annotations"]) == (hung["application/x.signature"], {"made": "here"})
    _, _, body = await world.ask("GET", f"/v2/{name}/referrers/{digest_of(b'none')}")
    assert orjson.loads(body)["manifests"] == []


async def test_a_deleted_tag_leaves_the_manifest_and_a_deleted_manifest_no_tag(world: World, name: str) -> None:
    made = await world.image("1", name=name)
    await world.manifest(made.manifest, "2", name=name)
    assert (await world.ask("DELETE", f"/v2/{name}/manifests/1"))[0] == 202
    assert (await world.ask("GET", f"/v2/{name}/manifests/1"))[0] == 404
    assert (await world.ask("GET", f"/v2/{name}/manifests/{made.digest}"))[0] == 200
    assert (await world.ask("DELETE", f"/v2/{name}/manifests/{made.digest}"))[0] == 202
    for reference in ("2", made.digest):
        assert (await world.ask("GET", f"/v2/{name}/manifests/{reference}"))[0] == 404
    assert not [one for one in await world.content.records() if one.target.digest == made.digest]
    assert (await world.ask("DELETE", f"/v2/{name}/manifests/1"))[0] == 404


async def test_what_a_container_was_made_of_is_not_deleted(fake: World) -> None:
    made = await fake.image()
    assert isinstance(fake.content, FakeContent)
    fake.content.using[digest_of(made.config)] = "web-1"
    status, _, body = await fake.ask("DELETE", "/v2/app/manifests/1")
    assert (status, code(body)) == (409, "DENIED")
    assert "web-1" in body.decode()
    assert (await fake.ask("GET", "/v2/app/manifests/1"))[0] == 200
