"""Which of a folder's files are its manifests."""

import pytest

from wherry.deploy.errors import InputError
from wherry.deploy.folder import find

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replcas: 3
  template:
    spec:
      containers:
        - name: side
          image: side:1
        - name: web
          imge: web:1
"""


def named(files: dict[str, str], only: str = "") -> list[str]:
    return [each.object["metadata"]["name"] for each in find(files, only).manifests]


def test_manifests_beside_the_app_and_in_the_usual_folders_are_found() -> None:
    files = {
        "a.yaml": CONFIG.format("a"),
        "k8s/b.yml": CONFIG.format("b"),
        "deploy/c.yaml": CONFIG.format("c"),
        "manifests/d.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}',
        "tests/data/e.yaml": CONFIG.format("e"),
        "package.json": '{"name": "web"}',
    }
    assert named(files) == ["a", "c", "b", "d"]


def test_documents_and_lists_are_taken_apart() -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: c}\n"
    text = f"---\n{CONFIG.format('a')}---\n# nothing\n---\n{CONFIG.format('b')}---\n{listed}"
    assert named({"all.yaml": text}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  web: {build: .}\n",
        "on: push\njobs: {}\n",
        "apiVersion: skaffold/v4beta14\nkind: Config\n",
        "apiVersion: v1\nkind: Config\nclusters: []\n",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n",
        "{{ template }}: [\n",
        "- a\n- b\n",
        "",
    ],
)
def test_other_tools_yaml_is_passed_over(text: str) -> None:
    found = find({"other.yaml": text})
    assert (found.manifests, found.others) == ((), ("other.yaml",))


def test_broken_yaml_that_is_meant_for_kubernetes_is_an_error_at_its_line() -> None:
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n bad: [\n"
    with pytest.raises(InputError, match=r"^web.yaml:5: this is no YAML"):
        find({"web.yaml": broken})
    with pytest.raises(InputError, match=r"^k8s/x.yaml:1: this is no YAML"):
        find({"k8s/x.yaml": "a: b: c"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apiVersion: v1\nkind: Secret\n", "a.yaml:1: this Secret has no metadata.name"),
        (CONFIG.format("a") + "kind: Secret\n", 'a.yaml:5: the key "kind" is there twice'),
        (
            CONFIG.format("a") + "---\n" + CONFIG.format("a"),
            "a.yaml:6: ConfigMap/a is there twice; the other is at a.yaml:1",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        find({"a.yaml": text})
    assert str(caught.value) == said


@pytest.mark.parametrize("name", ["kustomization.yaml", "k8s/kustomization.yml", "deploy/Chart.yaml"])
def test_what_other_tools_must_render_first_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find({name: "resources: []\n"})
    assert "render" in caught.value.hints[0]


def test_one_place_can_be_named() -> None:
    files = {"a.yaml": CONFIG.format("a"), "ops/b.yaml": CONFIG.format("b"), "kustomization.yaml": ""}
    assert named(files, "ops") == ["b"]
    assert named(files, "a.yaml") == ["a"]
    with pytest.raises(InputError, match="nowhere: there are no Kubernetes manifests in it"):
        find(files, "nowhere")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.replcas", 6),
        ("spec.template.spec.containers[0].image", 11),
        ('spec.template.spec.containers[name="web"].imge', 13),
        ("spec.nothing", 5),
    ],
)
def test_a_field_s_line_is_known(path: str, line: int) -> None:
    assert find({"a.yaml": DEPLOYMENT}).manifests[0].place_of(path) == f"a.yaml:{line}"


def test_what_json_does_not_have_becomes_text() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  day: 2026-01-01\n  2: one\n  on: two\n"
    assert find({"a.yaml": text}).manifests[0].object["data"] == {"day": "2026-01-01", "2": "one", "true": "two"}


def test_aliases_cannot_expand_without_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(InputError, match="aliases expand"):
        find({"k8s/bomb.yaml": "\n".join(lines)})
