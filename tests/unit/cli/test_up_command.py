"""`wherry up`'s words: usage, what it prints of a result, and its exit codes. No cluster is reached."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from wherry.cli.progress import Json, Plain, object_name, summary
from wherry.cli.target import Seconds
from wherry.cli.up import as_json, command
from wherry.deploy.answer import Answer, urls
from wherry.deploy.apply import Applied
from wherry.deploy.pods import PodStep, Trouble
from wherry.deploy.rollout import Outcome
from wherry.deploy.up import Result
from wherry.deploy.verdict import State, Verdict
from wherry.objects import Obj, Ref

WEB = Ref("Deployment.apps", "default", "web")


def call(folder: Path, *words: str, state: Path) -> tuple[int, str]:
    done = CliRunner().invoke(command, [str(folder), *words, "--state", str(state / "none"), "--run-dir", str(state)])
    return done.exit_code, done.output


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5)])
def test_durations(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


def test_a_missing_folder_is_wrong_use(tmp_path: Path) -> None:
    code, said = call(tmp_path / "nowhere", state=tmp_path)
    assert (code, "nowhere: there is no such folder" in said) == (2, True)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    code, said = call(tmp_path / "app", state=tmp_path)
    assert code == 2
    assert "app: there is no Dockerfile, and there are no Kubernetes manifests" in said
    assert "write a Dockerfile" in said


def test_a_typo_in_the_settings_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wherry.toml").write_text('image = "web:1"\nreplcas = 2\n')
    code, said = call(tmp_path, state=tmp_path)
    assert (code, 'wherry.toml:2: unknown key "replcas": did you mean "replicas"?' in said) == (2, True)


def test_an_unknown_context_names_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "wherry.toml").write_text('image = "web:1"\n')
    config = tmp_path / "config"
    config.write_text("contexts: [{name: staging, context: {cluster: c}}]\n")
    code, said = call(tmp_path, "--kubeconfig", str(config), "--context", "prod", state=tmp_path)
    assert (code, "there are: staging" in said) == (2, True)


def failed() -> Result:
    trouble = Trouble("CrashLoopBackOff", "web: ended with code 1", "read its log", "web-1", "web")
    verdict = Verdict(State.FAILED, 2, 1, 1, pods=(PodStep("web-1", "ended"),), trouble=trouble)
    outcome = Outcome({WEB: verdict}, WEB, ("boom",))
    return Result("shop", "default", "here", applied=[Applied(WEB, "configured", {})], outcome=outcome)


def test_a_result_for_scripts_says_why_it_failed() -> None:
    said = as_json(failed(), 1)
    assert said["objects"] == [{"object": "deployment.apps/web", "result": "configured"}]
    assert said["failure"] == {
        "reason": "CrashLoopBackOff",
        "message": "web: ended with code 1",
        "pod": "web-1",
        "hint": "read its log",
    }
    assert (said["exitCode"], said["log"], said["changed"]) == (1, ["boom"], True)


def test_names_are_kubectl_s() -> None:
    assert object_name(WEB) == "deployment.apps/web"
    assert object_name(Ref("Service", "x", "web")) == "service/web"


def test_a_summary_counts_old_and_stopping_replicas() -> None:
    assert summary(Verdict(State.UNDER_WAY, 3, 1, 2, 1)) == "1 of 3 ready, 2 of the revision before, 1 stopping"


def test_plain_progress_says_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Plain()
    for ready in (0, 0, 1):
        step = PodStep("web-1", "ready", ready=True) if ready else PodStep("web-1", "creating")
        shown.rollout({WEB: Verdict(State.UNDER_WAY, 1, ready, pods=(step,))})
    assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "web-1: creating",
        "web: 0 of 1 ready",
        "web-1: ready",
        "web: 1 of 1 ready",
    ]


def test_json_progress_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Json()
    shown.begin("rollout", "web")
    shown.rollout({WEB: Verdict(State.DONE, 1, 1)})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["phase"], line["event"]) for line in lines] == [("rollout", "begin"), ("rollout", "progress")]
    assert (lines[1]["object"], lines[1]["reason"]) == ("Deployment.apps/default/web", "done")


def service(type_: str, port: Obj, ingress: list[Obj]) -> Obj:
    status = {"loadBalancer": {"ingress": ingress}}
    return {"spec": {"type": type_, "clusterIP": "10.0.0.1", "ports": [port]}, "status": status}


@pytest.mark.parametrize(
    ("made", "embedded", "found"),
    [
        (service("LoadBalancer", {"port": 80}, [{"ip": "127.0.0.1"}]), True, ["http://127.0.0.1/"]),
        (service("LoadBalancer", {"port": 8080}, [{"hostname": "lb"}]), False, ["http://lb:8080/"]),
        (service("LoadBalancer", {"port": 5432}, [{"ip": "127.0.0.1"}]), True, ["tcp://127.0.0.1:5432/"]),
        (service("LoadBalancer", {"port": 9, "name": "http-web"}, [{"ip": "::1"}]), True, ["http://[::1]:9/"]),
        (service("LoadBalancer", {"port": 443}, []), True, []),
        (service("ClusterIP", {"port": 443}, []), True, ["https://10.0.0.1/"]),
        (service("ClusterIP", {"port": 443}, []), False, []),
    ],
)
def test_a_service_s_urls(made: Obj, embedded: bool, found: list[str]) -> None:
    assert urls(made, embedded=embedded) == found


def test_a_server_error_is_no_good_answer() -> None:
    assert [Answer("u", status).good for status in (200, 404, 500, 0, None)] == [True, True, False, False, True]
