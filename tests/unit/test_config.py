"""Settings: every field by every way, the later ones win, and what is wrong is said with its place."""

import dataclasses
from pathlib import Path

import pytest

from wherry.config import SETTINGS, Config, ConfigError, Setting, load, render

OTHERS = {
    "name": "two",
    "state": "/srv/two",
    "run-dir": "/run/two",
    "listen": "192.0.2.1",
    "port": "7443",
    "registry-port": "5051",
    "bridge": "two0",
    "pod-network": "10.1.0.0/16",
    "service-network": "10.2.0.0/16",
    "node-ports": "20000-20099",
    "balancer-addresses": "127.90.0.0/16",
    "expose": "192.0.2.2",
    "cluster-domain": "two.test",
    "max-pods": "7",
    "builder": "buildx",
    "oci-runtime": "runc",
    "log-level": "debug",
}
"""A value for each setting that is not its default. A new setting needs one here."""

EACH = pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.key)


def expected(each: Setting) -> Config:
    return dataclasses.replace(Config(), **{each.field: each.parse(OTHERS[each.key])})


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def nothing(path: Path) -> Path:
    return path / "none.toml"


@EACH
def test_every_setting_is_reached_by_file_environment_and_flag(each: Setting, tmp_path: Path) -> None:
    assert expected(each) != Config()
    file = written(tmp_path / "c.toml", f'{each.key} = "{OTHERS[each.key]}"\n')
    assert load({}, {}, file) == expected(each)
    assert load({}, {}, default=file) == expected(each)
    assert load({}, {"WHERRY_CONFIG": str(file)}) == expected(each)
    assert load({}, {each.variable: OTHERS[each.key]}, default=nothing(tmp_path)) == expected(each)
    assert load({each.field: each.parse(OTHERS[each.key])}, {}, default=nothing(tmp_path)) == expected(each)


def test_later_places_win(tmp_path: Path) -> None:
    file = written(tmp_path / "c.toml", 'port = 1\nbridge = "file0"\nname = "file"\n')
    found = load({"port": 3}, {"WHERRY_PORT": "2", "WHERRY_BRIDGE": "env0"}, file)
    assert (found.port, found.bridge, found.name, found.max_pods) == (3, "env0", "file", 250)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    config = load({}, {each.variable: OTHERS[each.key] for each in SETTINGS}, default=nothing(tmp_path))
    assert load({}, {}, written(tmp_path / "c.toml", render(config))) == config


@EACH
def test_every_setting_says_what_it_is(each: Setting) -> None:
    assert each.help.endswith(".")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# two\nprot = 1\n", "c.toml:2: prot: there is no such setting; did you mean port?"),
        ('port = "x"\n', "c.toml:1: port: 'x' is not a whole number"),
        ("port = true\n", "c.toml:1: port: True is not a whole number"),
        ("name = 3\n", "c.toml:1: name: 3 is not a text"),
        ("\n\n[node]\nname = 'x'\n", "c.toml:3: node: there is no such setting"),
        ("port = \n", "c.toml: not TOML: Invalid value (at line 1, column 8)"),
        ("port = 70000\n", "c.toml:1: port: 70000 is no port: 1 to 65535"),
        ('bridge = "a-bridge-too-long"', "c.toml:1: bridge: 'a-bridge-too-long' is no name of a network interface"),
        ('node-ports = "9-1"', "c.toml:1: node-ports: '9-1' is not a range of ports"),
        ('pod-network = "10.0.0.1/8"', "c.toml:1: pod-network: 10.0.0.1/8 has host bits set"),
        ('log-level = "loud"', "c.toml:1: log-level: 'loud' is no level"),
        ('state = "here"', "c.toml:1: state: here must begin with /"),
        ('listen = "example.org"', "c.toml:1: listen: 'example.org' is no IPv4 address"),
        ('balancer-addresses = "10.0.0.0/8"', "balancer-addresses: 10.0.0.0/8 is not within 127.0.0.0/8"),
        ('service-network = "10.85.3.0/24"', "service-network: 10.85.3.0/24 overlaps with pods 10.85.0.0/16"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failure:
        load({}, {}, written(tmp_path / "c.toml", text))
    assert said in str(failure.value)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="WHERRY_PORT: 'many' is not a whole number"):
        load({}, {"WHERRY_PORT": "many"})


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert load({}, {}, default=nothing(tmp_path)) == Config()
    for way in ({"WHERRY_CONFIG": str(nothing(tmp_path))}, {}):
        with pytest.raises(ConfigError, match="there is no such file"):
            load({}, way, None if way else nothing(tmp_path))
