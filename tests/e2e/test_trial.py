"""Images started on a real node: what they show of themselves, and that nothing of the trial stays."""

import asyncio
import json
from pathlib import Path

from tests.e2e.conftest import IMAGE, Engine
from wherry.client.http import HttpClient
from wherry.client.kubeconfig import load
from wherry.clock import SystemClock
from wherry.deploy.trial.trial import Subject, Trial, attempt


def tried(engine: Engine, subject: Subject) -> Trial:
    async def work() -> Trial:
        async with HttpClient(load([Path(engine.root / "st" / "kubeconfig")], must_exist=True).only()) as client:
            return await attempt(client, SystemClock(), subject)

    return asyncio.run(work())


def serve(*script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", "; ".join(script))


def test_a_server_is_measured_from_its_start_to_its_end(engine: Engine) -> None:
    command = serve("mkdir -p /www", "echo hi > /www/index.html", "exec httpd -f -p 8080 -h /www")
    trial = tried(engine, Subject(image=IMAGE, port=8080, command=command, grace=2))
    assert (trial.status, trial.port, trial.failure) == (200, 8080, "")
    assert trial.to_answer is not None
    assert trial.to_answer < 20


def test_what_ends_by_itself_shows_its_log(engine: Engine) -> None:
    trial = tried(engine, Subject(image=IMAGE, port=8080, command=serve("echo no database", "exit 3")))
    assert "exit code 3" in trial.failure
    assert list(trial.log) == ["no database"]
    assert trial.status == 0


def test_what_does_not_obey_sigterm_is_seen_to_be_killed(engine: Engine) -> None:
    command = serve("trap '' TERM", "httpd -p 8080 -h /", "while :; do sleep 0.1; done")
    trial = tried(engine, Subject(image=IMAGE, port=8080, command=command, grace=1))
    assert trial.exit_code in (137, None)
    assert trial.to_stop is not None
    assert trial.to_stop >= 1


def test_an_image_that_is_not_there_is_told_at_once(engine: Engine) -> None:
    trial = tried(engine, Subject(image="localhost/none:1", port=8080))
    assert "localhost/none:1" in trial.failure


def test_nothing_of_a_trial_stays(engine: Engine) -> None:
    pods = json.loads(engine.kubectl("get", "pods", "-l", "wherry.dev/trial", "-o", "json"))["items"]
    assert [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]] == []
