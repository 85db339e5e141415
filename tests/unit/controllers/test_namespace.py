"""Namespaces: what each is given, and how one is emptied."""

from tests.support.model import Model, pod
from wherry.client.actions import Delete
from wherry.controllers import controllers
from wherry.controllers.namespace import NAMESPACE
from wherry.controllers.rootca import rootca
from wherry.controllers.serviceaccount import SERVICEACCOUNT
from wherry.objects import Obj, Ref
from wherry.objects.conditions import condition_of
from wherry.objects.errors import Forbidden

KEY = Ref("Namespace", "", "default")


def namespace(*, doomed: bool = False) -> Obj:
    meta = {"name": "default", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if doomed else {})}
    spec = {"finalizers": ["kubernetes"]}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": spec}


def configmap(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def test_each_namespace_gets_its_account_and_the_root_certificate() -> None:
    model = Model(namespace())
    both = (SERVICEACCOUNT, rootca("PEM"))
    model.settle(both)
    account = model.get("ServiceAccount", "default")
    published = model.get("ConfigMap", "kube-root-ca.crt")
    assert published["data"] == {"ca.crt": "PEM"}
    assert published["metadata"]["annotations"]["kubernetes.io/description"].startswith("Contains a CA bundle")
    model.remove(account)
    assert model.woken_by(SERVICEACCOUNT, account) == {KEY}
    model.edit("ConfigMap", "kube-root-ca.crt", {"data": {"ca.crt": "forged", "more": "x"}})
    model.settle(both)
    assert model.get("ServiceAccount", "default")
    assert model.get("ConfigMap", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_one_that_is_being_deleted_is_given_nothing() -> None:
    model = Model(namespace(doomed=True))
    assert model.round((SERVICEACCOUNT, rootca("PEM"))) == 0


def test_all_contents_go_at_once_then_the_namespace() -> None:
    model = Model(namespace(doomed=True), *(configmap(f"c{number}") for number in range(200)))
    (owner,) = model.list("Namespace")
    actions = model.look(NAMESPACE, owner)
    assert [type(action) for action in actions] == [Delete] * 200
    model.settle((NAMESPACE,))
    assert model.list("Namespace") == ()


def test_it_waits_for_pods_to_end_and_does_not_delete_them_twice() -> None:
    model = Model(namespace(doomed=True))
    running = model.start(model.put(pod("a")))
    model.settle((NAMESPACE,))
    assert len(model.list("Namespace")) == 1
    model.remove(running)
    assert model.woken_by(NAMESPACE, running) == {KEY}
    model.settle((NAMESPACE,))
    assert model.list("Namespace") == ()


def test_it_says_what_it_waits_for_and_why_something_cannot_go() -> None:
    slow = configmap("slow")
    slow["metadata"]["finalizers"] = ["example.com/slow"]
    model = Model(namespace(doomed=True), slow, pod("a", {}, nodeName="node"))
    model.settle((NAMESPACE,))
    (owner,) = model.list("Namespace")
    told = {each["type"]: (each["status"], each["message"]) for each in owner["status"]["conditions"]}
    assert told == {
        "NamespaceDeletionDiscoveryFailure": ("False", "All resources successfully discovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "All legacy kube types successfully parsed"),
        "NamespaceDeletionContentFailure": (
            "False",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "Some content in the namespace has finalizers remaining: example.com/slow in 1 resource instances",
        ),
    }
    seen = NAMESPACE.observe(owner, model.mirror, model.now)
    assert seen is not None
    assert NAMESPACE.failed is not None
    for action in NAMESPACE.failed(seen, Forbidden("no")):
        model.carry_out(action)
    failure = condition_of(model.list("Namespace")[0], "NamespaceDeletionContentFailure")
    assert failure is not None
    assert (failure["status"], failure["reason"]) == ("True", "ContentDeletionFailed")


def test_changes_in_living_namespaces_wake_nobody() -> None:
    model = Model(namespace())
    assert model.woken_by(NAMESPACE, model.put(configmap("a"))) == set()


def test_controllers_have_names_of_their_own() -> None:
    names = [each.name for each in controllers("PEM")]
    assert len(set(names)) == len(names) == 11
