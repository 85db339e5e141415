"""The controllers: each one a file with `observe` and `plan`, pure; `client.reconcile` is the loop that runs them."""

from typing import Any

from wherry.client.controller import Controller
from wherry.controllers.deployment import DEPLOYMENT
from wherry.controllers.endpoints import ENDPOINTS
from wherry.controllers.endpointslice import ENDPOINTSLICE
from wherry.controllers.eventttl import EVENTTTL
from wherry.controllers.garbage import GARBAGE
from wherry.controllers.namespace import NAMESPACE
from wherry.controllers.nodelife import NODELIFE
from wherry.controllers.replicaset import REPLICASET
from wherry.controllers.rootca import rootca
from wherry.controllers.scheduler import SCHEDULER
from wherry.controllers.serviceaccount import SERVICEACCOUNT


def controllers(root_ca: str) -> tuple[Controller[Any], ...]:
    """All of them; `root_ca` is the PEM text that pods trust the API server by."""
    return (
        DEPLOYMENT,
        REPLICASET,
        SCHEDULER,
        ENDPOINTSLICE,
        ENDPOINTS,
        GARBAGE,
        NAMESPACE,
        NODELIFE,
        SERVICEACCOUNT,
        rootca(root_ca),
        EVENTTTL,
    )


def component_of(controller: Controller[Any]) -> str:
    """The name that Events give a controller: upstream's."""
    return "default-scheduler" if controller is SCHEDULER else f"{controller.name}-controller"


def manager_of(controller: Controller[Any]) -> str:
    """Whom managedFields and the conflicts of an apply name: upstream's programs, which hold several controllers."""
    return "kube-scheduler" if controller is SCHEDULER else "kube-controller-manager"
