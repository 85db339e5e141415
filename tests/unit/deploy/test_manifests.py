"""What is made for an app that writes into its own folder, and for one that does not."""

from typing import Any

from wherry.deploy.manifests import App, manifests
from wherry.deploy.plan import Place, make, objects
from wherry.deploy.project import Project, parse
from wherry.objects import Obj

FLASK = "from flask import Flask\napp = Flask('x')\n"
SQLITE = f"{FLASK}URI = 'sqlite:///shop.db'\n"


def deployment(**more: Any) -> Obj:
    app = App(project=Project(env={"A": "1"}), name="shop", namespace="default", image="shop:1", port=8000, **more)
    return next(one for one in manifests(app) if one["kind"] == "Deployment")


def test_an_app_that_writes_gets_a_copy_and_says_why() -> None:
    made = deployment(writes="settings.py names SQLite", prepare=[["python", "manage.py", "migrate"]])
    assert made["metadata"]["annotations"] == {"wherry.io/writable": "settings.py names SQLite"}
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    copy, prepare = pod["initContainers"]
    assert {"name": "app", "mountPath": "/app", "subPath": "app"} in container["volumeMounts"]
    assert {"name": "app", "mountPath": "/writable"} in copy["volumeMounts"]
    assert prepare["command"] == ["python", "manage.py", "migrate"]
    assert {"name": "app", "mountPath": "/app", "subPath": "app"} in prepare["volumeMounts"]
    assert {"name": "app", "emptyDir": {}} in pod["volumes"]


def test_every_container_stays_within_restricted_and_has_the_environment() -> None:
    pod = deployment(writes="it does", prepare=[["true"]])["spec"]["template"]["spec"]
    for one in (*pod["initContainers"], *pod["containers"]):
        assert one["securityContext"]["readOnlyRootFilesystem"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["envFrom"] == pod["containers"][0]["envFrom"]


def test_an_app_without_a_handler_of_its_own_is_no_first_process_and_ends_by_sigterm() -> None:
    assert deployment()["spec"]["template"]["spec"]["shareProcessNamespace"] is True


def test_an_app_that_does_not_write_has_none_of_it() -> None:
    made = deployment()
    assert "annotations" not in made["metadata"]
    assert "initContainers" not in made["spec"]["template"]["spec"]
    assert [one["name"] for one in made["spec"]["template"]["spec"]["volumes"]] == ["tmp"]


def planned(settings: str) -> Obj:
    plan = make({"app.py": SQLITE, "wherry.toml": settings}, "shop")
    made = objects(plan, "", Place(namespace="default"))
    return next(one.object for one in made if one.object["kind"] == "Deployment")


def test_data_of_each_replica_s_own_means_one_replica() -> None:
    assert planned("")["spec"]["replicas"] == 1
    assert planned("writable = false")["spec"]["replicas"] == 2
    assert planned("replicas = 3")["spec"]["replicas"] == 3


def test_a_database_that_the_settings_name_is_not_in_the_folder() -> None:
    assert "initContainers" not in planned("[env]\nDATABASE_URL = 'postgresql://db/shop'")["spec"]["template"]["spec"]


def test_the_settings_say_what_runs_before_it() -> None:
    pod = planned("prepare = ['flask --app app:app seed \"a b\"']")["spec"]["template"]["spec"]
    assert pod["initContainers"][1]["command"] == ["flask", "--app", "app:app", "seed", "a b"]
    assert parse("writable = true", "wherry.toml").writable is True


def test_a_command_in_the_settings_says_its_port() -> None:
    for words in ('"web", "--port=9000"', '"gunicorn", "-b", "0.0.0.0:9000"', '"web", "--server-hosts=0.0.0.0:9000"'):
        pod = planned(f"command = [{words}]")["spec"]["template"]["spec"]
        assert pod["containers"][0]["ports"][0]["containerPort"] == 9000
    pod = planned('command = ["web", "--threads=8000"]')["spec"]["template"]["spec"]
    assert pod["containers"][0]["ports"][0]["containerPort"] == 8000
