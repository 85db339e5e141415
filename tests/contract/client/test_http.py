"""What only the Client over HTTP does: discovery, strict validation, streams, warnings, who asks."""

import pytest

from tests.support.apiserver import LOG, ApiServer
from tests.support.model import deployment
from wherry.client.connection import Unreachable
from wherry.client.http import HttpClient
from wherry.client.kubeconfig import load
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, NotFound, Unauthorized

POD: Obj = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


async def test_people_s_names_for_kinds(http: HttpClient) -> None:
    resources = await http.resources()
    found = [resources.by_name(name) for name in ("deploy", "Deployment", "deployments.apps", "po", "cm", "nothing")]
    ids = [one.id if one else None for one in found]
    assert ids == ["Deployment.apps", "Deployment.apps", "Deployment.apps", "Pod", "ConfigMap", None]


async def test_strict_validation_names_unknown_fields(http: HttpClient) -> None:
    made = deployment(1)
    made["spec"]["replcas"] = 3
    with pytest.raises(ApiError, match=r"spec\.replcas"):
        await http.apply(made, manager="m", validation="Strict")


async def test_a_deployment_is_scaled_by_its_subresource(http: HttpClient) -> None:
    await http.create(deployment(2))
    place = ("Deployment.apps", "default", "web")
    await http.patch(*place, {"spec": {"replicas": 5}}, subresource="scale")
    assert (await http.get(*place, subresource="scale"))["spec"] == {"replicas": 5}
    assert (await http.get(*place))["spec"]["replicas"] == 5


async def test_warnings_are_passed_on(server: ApiServer) -> None:
    heard: list[str] = []
    async with HttpClient(load([server.kubeconfig]).only(), warnings=heard.append) as client:
        made = deployment(1)
        made["spec"]["replcas"] = 3
        await client.create(made)
    assert heard == ['unknown field "spec.replcas"']


async def test_logs_come_in_pieces(http: HttpClient, server: ApiServer) -> None:
    await server.local.create(_account())
    await http.create(POD)
    assert b"".join([piece async for piece in http.logs("default", "p")]) == LOG
    last = b"".join([piece async for piece in http.logs("default", "p", container="c", tailLines=1)])
    assert last == b"last line\n"


async def test_a_log_that_is_not_there_is_an_error_in_the_server_s_words(http: HttpClient, server: ApiServer) -> None:
    await server.local.create(_account())
    await http.create(POD)
    with pytest.raises(BadRequest, match="previous terminated container not found"):
        await anext(http.logs("default", "p", previous=True))


async def test_a_refused_upgrade_says_why(http: HttpClient, server: ApiServer) -> None:
    with pytest.raises(NotFound, match='pods "p" not found'):
        async with http.remote_command("default", "p", "exec", [("command", "ls")]):
            pass


async def test_a_bad_token_is_unauthorized(server: ApiServer) -> None:
    kubeconfig = server.kubeconfig.with_name("other")
    kubeconfig.write_text(
        f"""
        clusters: [{{name: c, cluster: {{server: "{server.address}", certificate-authority: pki/ca.crt}}}}]
        users: [{{name: u, user: {{token: nobody-knows}}}}]
        contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
        """
    )
    async with HttpClient(load([kubeconfig]).only()) as client:
        with pytest.raises(Unauthorized):
            await client.list("Pod", "default")


async def test_a_certificate_of_another_authority_is_not_trusted(server: ApiServer) -> None:
    kubeconfig = server.kubeconfig.with_name("other")
    kubeconfig.write_text(
        f"""
        clusters: [{{name: c, cluster: {{server: "{server.address}"}}}}]
        contexts: [{{name: x, context: {{cluster: c}}}}]
        """
    )
    async with HttpClient(load([kubeconfig]).only()) as client:
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            await client.version()


def _account() -> Obj:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
