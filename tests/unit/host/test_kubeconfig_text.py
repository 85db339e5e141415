"""A context goes into a kubeconfig's text and out again; everything else stays."""

import json

import pytest
import yaml

from wherry.host.kubeconfig_text import Entry, KubeconfigProblem, merged, without

STATE = "/var/lib/wherry"
NODE = Entry("wherry", {"server": "https://127.0.0.1:6443"}, {"client-key-data": "c2VjcmV0"}, STATE)
OWN = """\
# mine
apiVersion: v1
kind: Config
clusters:
# production, careful
- name: prod   # keep
  cluster:
    server: https://prod.test
# after clusters
users:
  - name: prod
    user: {token: abc}   # short

contexts:
- context:
    cluster: prod
    user: prod
  name: prod
current-context: prod  # never another
# the end
"""


def names(text: str, part: str) -> list[str]:
    return [each["name"] for each in yaml.safe_load(text)[part]]


def test_an_empty_file_becomes_a_kubeconfig() -> None:
    made = yaml.safe_load(merged("", NODE))
    assert made["current-context"] == "wherry"
    assert made["clusters"] == [{"name": "wherry", "cluster": {"server": "https://127.0.0.1:6443"}}]
    assert (made["apiVersion"], made["kind"]) == ("v1", "Config")


def test_everything_of_the_user_stays_comments_too() -> None:
    text = merged(OWN, NODE)
    assert set(OWN.splitlines()) <= set(text.splitlines())
    assert all(names(text, part) == ["prod", "wherry"] for part in ("clusters", "users", "contexts"))
    assert yaml.safe_load(text)["current-context"] == "prod"
    assert without(text, "wherry", STATE) == OWN


def test_merging_again_changes_nothing() -> None:
    once = merged(OWN, NODE)
    assert merged(once, NODE) == once


def test_new_keys_replace_the_old_ones_in_place() -> None:
    later = Entry("wherry", {"server": "https://127.0.0.1:7443"}, {"client-key-data": "bmV3"}, STATE)
    text = merged(merged(OWN, NODE), later)
    assert text == merged(OWN, later)
    assert "c2VjcmV0" not in text


@pytest.mark.parametrize(
    "text",
    [
        "clusters: null\nusers: []\ncontexts:\n",
        "clusters: [{name: a, cluster: {}}]\n",
        'clusters:\n- name: a\n  cluster:\n    x: |\n      text\n\n# more\ncurrent-context: ""',
        "clusters: &all\n- {name: a, cluster: {}}\nspare: *all\n",
        '{"clusters": [{"name": "a", "cluster": {}}]}',
        "current-context: a\nclusters:\n    - cluster: {}\n      name: a\n",
    ],
)
def test_other_styles_mean_the_same_with_the_context(text: str) -> None:
    before, after = yaml.safe_load(text), yaml.safe_load(merged(text, NODE))
    assert after["clusters"] == [*(before["clusters"] or []), NODE.parts()["clusters"]]
    assert after["current-context"] == (before.get("current-context") or "wherry")
    again = yaml.safe_load(without(merged(text, NODE), "wherry", STATE))
    assert again["clusters"] == (before["clusters"] or [])
    assert again.get("current-context", "") == (before.get("current-context") or "")


def test_json_stays_json() -> None:
    assert json.loads(merged('{"kind": "Config"}', NODE))["contexts"][0]["name"] == "wherry"


def test_a_context_of_the_same_name_that_is_not_ours_is_left_alone() -> None:
    own = merged("", Entry("wherry", {"server": "https://else.test"}, {}, "/elsewhere"))
    with pytest.raises(KubeconfigProblem, match="of another cluster already: give the node another --name"):
        merged(own, NODE)
    assert without(own, "wherry", STATE) == own


@pytest.mark.parametrize("text", ["clusters: [", "- a\n- b\n", "clusters: {a: b}\n", "just words"])
def test_what_is_no_kubeconfig_is_not_touched(text: str) -> None:
    with pytest.raises(KubeconfigProblem, match=r"not YAML|not a kubeconfig"):
        merged(text, NODE)
