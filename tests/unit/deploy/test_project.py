"""wherry.toml, and what is wrong with it."""

import pytest

from wherry.deploy.errors import InputError
from wherry.deploy.project import Build, Project, has_table, parse

WHOLE = """\
version = 1
name = "shop"
port = 8000
replicas = 3
command = ["gunicorn", "app:app"]
registry = "registry.example/team"
x-note = { anything = "goes" }

[env]
DEBUG = false
WORKERS = 4

[health]
path = "/healthz"

[resources]
cpu = "500m"
memory = "128Mi"

[service]
type = "ClusterIP"
port = 8080

[build]
target = "web"
args = { VERSION = "2" }

[profiles.prod]
context = "production"
namespace = "shop"
replicas = 9
env = { WORKERS = 16 }
"""


def test_a_whole_file_is_read() -> None:
    assert parse(WHOLE, "wherry.toml") == Project(
        name="shop",
        port=8000,
        replicas=3,
        command=("gunicorn", "app:app"),
        env={"DEBUG": "false", "WORKERS": "4"},
        health="/healthz",
        cpu="500m",
        memory="128Mi",
        service_type="ClusterIP",
        service_port=8080,
        registry="registry.example/team",
        build=Build(target="web", args={"VERSION": "2"}),
    )


def test_a_profile_lies_over_it() -> None:
    project = parse(WHOLE, "wherry.toml", profile="prod")
    assert (project.context, project.namespace, project.replicas, project.port) == ("production", "shop", 9, 8000)
    assert project.env == {"DEBUG": "false", "WORKERS": "16"}


def test_it_can_stand_in_pyproject() -> None:
    text = '[project]\nname = "other"\n[tool.wherry]\nname = "shop"\n'
    assert parse(text, "pyproject.toml", table="tool.wherry").name == "shop"
    assert has_table(text)
    assert not has_table("[tool.ruff]")
    assert not has_table("[broken")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 80", 'wherry.toml:1: unknown key "prot": did you mean "port"?'),
        ("[health]\n\npaht = '/'", 'wherry.toml:3: unknown key "health.paht": did you mean "path"?'),
        ("port = '80'", "wherry.toml:1: \"port\" must be a whole number, not '80'"),
        ("port = true", 'wherry.toml:1: "port" must be a whole number, not True'),
        ("port = 70000", "wherry.toml:1: port 70000 is not from 1 to 65535"),
        ("name = 'x'\nreplicas = -1", "wherry.toml:2: replicas -1 is less than 0"),
        ("health = '/'", 'wherry.toml:1: "health" must be a table, as in [health]'),
        ("[health]\npath = 'x'", 'wherry.toml:2: health.path "x" must begin with /'),
        ("[resources]\ncpu = 'much'", 'wherry.toml:2: resources.cpu "much" is no quantity, as 250m or 256Mi'),
        (
            "[service]\ntype = 'Ingress'",
            'wherry.toml:2: service.type "Ingress" is none of LoadBalancer, ClusterIP, NodePort',
        ),
        ("version = 2", "wherry.toml: version 2 is not known; this wherry reads version 1"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "wherry.toml")
    assert str(caught.value) == said


def test_broken_toml_and_bad_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"wherry.toml: this is no TOML"):
        parse("name = ", "wherry.toml")
    with pytest.raises(InputError, match=r'wherry.toml:1: name "Not Good"'):
        parse('name = "Not Good"', "wherry.toml")


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match='there is no profile "live"; there are: prod'):
        parse(WHOLE, "wherry.toml", profile="live")
