"""Compose files as objects that the API takes, with a line for every key."""

from typing import Any

import pytest
import yaml

from wherry.deploy.compose import Verdict, convert
from wherry.deploy.errors import InputError
from wherry.kinds import schema
from wherry.kinds.schema import check

FILE = """
name: shop
x-common: {}
services:
  web:
    build: .
    command: gunicorn -b 0.0.0.0:5000 app:app
    environment: {MODE: production, DEBUG: false, FROM_SHELL: "${HOST}"}
    ports: ["8080:5000", "127.0.0.1:9000:9000/udp", "3000-3005:3000-3005"]
    depends_on: [db]
    volumes: ["./src:/app", "cache:/var/cache:ro", "/data"]
    deploy: {replicas: 3, resources: {limits: {cpus: '0.5', memory: 256M}, reservations: {memory: 64m}}}
    healthcheck: {test: "curl -f http://localhost/", interval: 1m30s, retries: 5}
    stop_grace_period: 20s
    user: "1000:1001"
    cap_drop: [ALL]
    read_only: true
    extra_hosts: ["a:10.0.0.1"]
    mystery: 1
  db:
    image: postgres:17
    expose: ["5432"]
    tmpfs: /run
    restart: always
volumes: {cache: {}}
"""


def converted(text: str = FILE) -> Any:
    return convert(yaml.safe_load(text))


def test_every_object_is_what_the_api_takes() -> None:
    table = schema.load()
    types = {"Deployment": "io.k8s.api.apps.v1.Deployment", "Service": "io.k8s.api.core.v1.Service"}
    for objects in converted().objects.values():
        for each in objects:
            problems = check.check(each, table.definition(types[each["kind"]]))
            assert (problems.error, problems.unknown) == ("", ())


def test_a_service_becomes_replicas_behind_a_balancer() -> None:
    deployment, service = converted().objects["web"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 3
    assert container["args"] == ["gunicorn", "-b", "0.0.0.0:5000", "app:app"]
    assert container["env"][1] == {"name": "DEBUG", "value": "false"}
    assert container["resources"] == {"limits": {"cpu": "0.5", "memory": "256Mi"}, "requests": {"memory": "64Mi"}}
    assert container["readinessProbe"]["periodSeconds"] == 90
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/var/cache", "/data"]
    assert service["spec"]["type"] == "LoadBalancer"
    assert [(port["port"], port["targetPort"], port["protocol"]) for port in service["spec"]["ports"]] == [
        (8080, 5000, "TCP"),
        (9000, 9000, "UDP"),
    ]
    assert converted().objects["db"][1]["spec"]["type"] == "ClusterIP"


def test_every_key_has_a_line() -> None:
    document = yaml.safe_load(FILE)
    lines = converted().lines
    told = {line.key for line in lines}
    for name, service in document["services"].items():
        for key in service:
            assert any(each.startswith(f"services.{name}.{key}") for each in told), key
    by_key = {line.key: line.verdict for line in lines}
    assert by_key["services.web.depends_on"] is Verdict.DROPPED
    assert by_key["services.web.mystery"] is Verdict.DROPPED
    assert by_key["services.web.build"] is Verdict.CHANGED
    assert by_key["services.web.environment"] is Verdict.CHANGED
    assert by_key["services.db.image"] is Verdict.MAPPED
    assert by_key["volumes.cache"] is Verdict.CHANGED
    assert by_key["x-common"] is Verdict.DROPPED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "no services"),
        ("services: {web: {}}", "neither image nor build"),
        ("services: {Web_1: {image: x}}", "cannot be named"),
        ("services: {web: 3}", "a table of keys"),
    ],
)
def test_what_is_no_compose_file_is_an_error(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        converted(text)
