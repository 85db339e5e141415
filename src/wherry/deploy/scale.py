"""Find the workload that a name means, and set its replicas."""

from wherry.client.http import HttpClient
from wherry.deploy import apply, inventory
from wherry.deploy.errors import DeployError
from wherry.objects import Obj, Ref
from wherry.objects.errors import NotFound

SCALED = ("Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps")


async def find(client: HttpClient, name: str, namespace: str) -> Ref:
    """`web`, `deployment/web`, or the name of an app with one such workload. Raises DeployError."""
    typed, slash, rest = name.partition("/")
    if slash:
        resource = (await client.resources()).by_name(typed)
        if resource is None or resource.id not in SCALED:
            raise DeployError(f"{typed} is nothing that has replicas: deployment, statefulset or replicaset")
        ref = Ref(resource.id, namespace, rest)
        if await apply.get(client, ref) is None:
            raise DeployError(f"there is no {typed} {rest} in namespace {namespace}")
        return ref
    for kind in SCALED[:2]:
        ref = Ref(kind, namespace, name)
        if await _there(client, ref):
            return ref
    listed = [ref for ref in inventory.refs(await inventory.read(client, name, namespace)) if ref.kind in SCALED]
    if len(listed) == 1:
        return listed[0]
    if listed:
        raise DeployError(f"{name} has several workloads: {', '.join(ref.name for ref in listed)}")
    raise DeployError(f"there is no app and no Deployment {name} in namespace {namespace}", "wherry status -A")


async def _there(client: HttpClient, ref: Ref) -> bool:
    """False too where the cluster has no such kind."""
    try:
        return await apply.get(client, ref) is not None
    except NotFound:
        return False


async def set_replicas(client: HttpClient, ref: Ref, count: int) -> int:
    """Through the `scale` subresource; how many there were to be before."""
    scale: Obj = await client.get(*ref, subresource="scale")
    if scale["spec"].get("replicas", 0) != count:
        await client.patch(*ref, {"spec": {"replicas": count}}, subresource="scale")
    return int(scale["spec"].get("replicas", 0))
