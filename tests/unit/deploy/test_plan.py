"""From a folder's files to what is applied."""

import pytest

from wherry.deploy.errors import InputError
from wherry.deploy.plan import Place, Plan, app_name, make, objects
from wherry.objects import Obj

APP = "from flask import Flask\napp = Flask(__name__)\n@app.route('/healthz')\ndef ok(): return 'ok'\n"
DOCKERFILE = 'FROM python:3.12\nUSER 1000\nEXPOSE 5000/tcp\nCMD ["python", "app.py"]\n'
FILES = {"Dockerfile": DOCKERFILE, "app.py": APP, "requirements.txt": "Flask==3.1\n"}
PLACE = Place(namespace="default")


def generated(plan: Plan, place: Place = PLACE, pinned: str = "") -> dict[str, Obj]:
    return {each.object["kind"]: each.object for each in objects(plan, pinned, place)}


def test_what_was_found_is_said_with_its_reason() -> None:
    assert make(FILES, "web").notes == (
        "framework flask (requirements.txt names it)",
        "port 5000 (the Dockerfile's EXPOSE)",
        "health /healthz (app.py routes it)",
        "Dockerfile builds localhost/web:latest",
    )


def test_a_bare_folder_says_what_to_do() -> None:
    with pytest.raises(InputError, match="there is no Dockerfile") as caught:
        make({"notes.py": "x = 1\n"}, "web")
    assert "write a Dockerfile" in caught.value.hints[0]


def test_a_python_app_needs_no_dockerfile() -> None:
    plan = make({"app.py": APP, "requirements.txt": "Flask==3.1\n"}, "web")
    assert plan.source is not None
    assert (plan.dockerfile, plan.source.framework, plan.port) == ("", "flask", 8000)
    assert plan.notes[-1].startswith("no Dockerfile: localhost/web:latest is made in layers, to run gunicorn")
    container = generated(plan)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"][0]["containerPort"] == 8000
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"


def test_a_command_in_the_settings_will_do_where_no_app_is_found() -> None:
    files = {"notes.py": "x = 1\n", "wherry.toml": 'command = ["python", "notes.py"]\nport = 9000\n'}
    plan = make(files, "web")
    assert plan.source is not None
    assert (list(plan.source.command), plan.port) == (["python", "notes.py"], 9000)


def test_other_languages_are_told_what_writes_a_dockerfile() -> None:
    package = '{"scripts": {"start": "node a.js"}}'
    with pytest.raises(InputError, match="only Python apps are built without one") as caught:
        make({"package.json": package, "a.js": ""}, "web")
    assert "wherry init" in caught.value.hints[0]


def test_a_dockerfile_that_was_asked_for_must_be_there() -> None:
    with pytest.raises(InputError, match=r"Dockerfile.prod: there is no such Dockerfile"):
        make(FILES, "web", dockerfile="Dockerfile.prod")


def test_a_profile_needs_a_file() -> None:
    with pytest.raises(InputError, match=r"there is no wherry.toml"):
        make(FILES, "web", profile="prod")


@pytest.mark.parametrize(
    ("folder", "name"), [("My Web_App", "my-web-app"), ("2048", "app-2048"), ("...", "app"), ("a" * 60, "a" * 50)]
)
def test_a_folder_s_name_becomes_the_app_s(folder: str, name: str) -> None:
    assert app_name(folder) == name


def test_generated_manifests_run_the_image_behind_a_service() -> None:
    made = generated(make(FILES, "web"), pinned="localhost/web@sha256:abc")
    assert list(made) == ["Service", "Deployment"]
    assert made["Service"]["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}
    ]
    spec = made["Deployment"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
    container = spec["template"]["spec"]["containers"][0]
    assert container["image"] == "localhost/web@sha256:abc"
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["env"] == [{"name": "PORT", "value": "5000"}]
    assert "lifecycle" not in container


def test_they_stay_within_pod_security_restricted() -> None:
    pod = generated(make(FILES, "web"))["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    as_root = {**FILES, "Dockerfile": "FROM python\nEXPOSE 80\n"}
    security = generated(make(as_root, "web"))["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (10001, 10001)
    assert security["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]


def test_a_changed_environment_has_another_name() -> None:
    one, two = (
        generated(make({**FILES, "wherry.toml": f"[env]\nCOLOUR = '{colour}'\n"}, "web")) for colour in ("blue", "red")
    )
    assert one["ConfigMap"]["data"] == {"COLOUR": "blue"}
    assert one["ConfigMap"]["immutable"]
    assert one["ConfigMap"]["metadata"]["name"] != two["ConfigMap"]["metadata"]["name"]
    reference = two["Deployment"]["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert reference == [{"configMapRef": {"name": two["ConfigMap"]["metadata"]["name"]}}]


def test_replicas_are_the_file_s_else_those_that_there_are() -> None:
    fixed = make({**FILES, "wherry.toml": "replicas = 7\n"}, "web")
    live = Place(namespace="default", replicas=5)
    assert generated(fixed, live)["Deployment"]["spec"]["replicas"] == 7
    assert generated(make(FILES, "web"), live)["Deployment"]["spec"]["replicas"] == 5


def test_other_clusters_get_time_to_take_a_replica_out_of_their_routing() -> None:
    pod = generated(make(FILES, "web"), Place(namespace="x", drain_seconds=10))["Deployment"]["spec"]["template"][
        "spec"
    ]
    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}
    assert pod["terminationGracePeriodSeconds"] == 40


def test_an_existing_image_needs_no_dockerfile() -> None:
    plan = make({"wherry.toml": 'image = "registry.example/web:2"\nport = 80\n'}, "web")
    assert (plan.dockerfile, plan.generates) == ("", True)
    container = generated(plan)["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/web:2"
    assert container["readinessProbe"]["tcpSocket"] == {"port": "http"}
