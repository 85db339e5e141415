"""A few kinds, as the catalog would declare them: enough of each trait that documents show."""

from wherry.kinds.kind import Column, Kind, Scale
from wherry.objects import Obj

POD = Kind(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    schema="io.k8s.api.core.v1.Pod",
    short_names=["po"],
    categories=["all"],
    status=True,
    subresources=["log", "exec", "eviction"],
    delete_returns_object=True,
    columns=[
        Column(name="Ready", cell=lambda obj: obj["status"]["ready"], description="How many containers are ready."),
        Column(name="Restarts", cell=lambda obj: 0, type="integer"),
        Column(name="Age", cell_at=lambda obj, now: f"{now.year - 2020}y"),
        Column(name="IP", cell=lambda obj: obj["status"].get("podIP", "<none>"), wide=True),
    ],
)
NAMESPACE = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    schema="io.k8s.api.core.v1.Namespace",
    short_names=["ns"],
    status=True,
    subresources=["finalize"],
)
DEPLOYMENT = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    schema="io.k8s.api.apps.v1.Deployment",
    short_names=["deploy"],
    status=True,
    scale=Scale(),
)
AUTOSCALERS = [
    Kind(
        group="autoscaling",
        version=version,
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        schema=f"io.k8s.api.autoscaling.{version}.HorizontalPodAutoscaler",
    )
    for version in ("v1", "v2")
]
TOKEN_REVIEW = Kind(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    namespaced=False,
    schema="io.k8s.api.authentication.v1.TokenReview",
    verbs=["create"],
)
WIDGET = Kind(
    group="example.com",
    version="v1",
    kind="Widget",
    plural="widgets",
    schema="com.example.v1.Widget",
    extra={
        "openapi": {
            "type": "object",
            "description": "Widget is a thing.",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "size": {
                            "x-kubernetes-int-or-string": True,
                            "anyOf": [{"type": "integer"}, {"type": "string"}],
                        },
                        "maybe": {"type": "string", "nullable": True},
                    },
                }
            },
        }
    },
)
KINDS = [WIDGET, TOKEN_REVIEW, *AUTOSCALERS, DEPLOYMENT, NAMESPACE, POD]


def pod(name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": "7"},
        "status": {"ready": "1/1"},
    }
