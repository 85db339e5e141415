"""What a trial shows, as findings."""

from dataclasses import replace
from typing import Any

import pytest

from wherry.deploy.check.manifests import Manifest, Manifests
from wherry.deploy.trial.findings import judge, told
from wherry.deploy.trial.probe import Inside, read
from wherry.deploy.trial.trial import Subject, Trial

INSIDE = Inside(("gunicorn", "app:app"), 10001, 2, 50_000_000, {8000: True}, ())
GOOD = Trial(
    subject=Subject(image="app"), port=8000, status=200, to_answer=0.3, to_stop=0.2, exit_code=0, inside=INSIDE
)
CONTAINER: dict[str, Any] = {
    "name": "app",
    "ports": [{"containerPort": 8000}],
    "resources": {"limits": {"memory": "128Mi"}},
    "securityContext": {"readOnlyRootFilesystem": True},
    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    "startupProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
}


def manifests(**changes: Any) -> Manifests:
    pod = {"containers": [{**CONTAINER, **changes}]}
    obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {"template": {"spec": pod}},
    }
    return Manifests((Manifest(obj, "k8s.yaml"),))


def rules(trial: Trial, found: Manifests | None = None) -> list[str]:
    return [one.rule for one in judge(trial, "Dockerfile", found or manifests())]


def test_a_good_run_shows_nothing() -> None:
    assert rules(GOOD) == []


@pytest.mark.parametrize(
    ("trial", "rule"),
    [
        (replace(GOOD, failure="it ended by itself with exit code 1 (Error)"), "X11"),
        (replace(GOOD, exit_code=137), "X12"),
        (replace(GOOD, to_stop=None), "X12"),
        (replace(GOOD, inside=replace(INSIDE, uid=0)), "D05"),
        (replace(GOOD, inside=replace(INSIDE, first=("/bin/sh", "-c", "x"))), "D06"),
        (replace(GOOD, inside=replace(INSIDE, ports={8000: False})), "D18"),
        (replace(GOOD, inside=replace(INSIDE, ports={5000: True})), "X01"),
        (replace(GOOD, inside=replace(INSIDE, memory=130_000_000)), "X06"),
        (replace(GOOD, inside=replace(INSIDE, written=("/tmp/x", "/var/cache/x"))), "X04"),
        (replace(GOOD, to_answer=4.0), "M05"),
    ],
)
def test_each_thing_seen_is_told(trial: Trial, rule: str) -> None:
    assert rules(trial) == [rule]


def test_an_image_without_python_is_judged_by_its_stop_alone() -> None:
    assert rules(replace(GOOD, inside=None)) == []
    assert "no Python" in "\n".join(told(replace(GOOD, inside=None)))


def test_the_measurements_are_told_with_the_log_of_what_failed() -> None:
    text = "\n".join(told(replace(GOOD, failure="it ended", log=("boom",))))
    assert "| boom" in text
    assert "first answer 0.30 s" in "\n".join(told(GOOD))


@pytest.mark.parametrize("output", [b"", b"{", b"{}", b"[]", b'{"ports": {"x": 1}}'])
def test_an_answer_that_is_none_is_no_answer(output: bytes) -> None:
    assert read(output) is None
