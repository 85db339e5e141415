import tomllib
from pathlib import Path

from wherry.images.builders.buildah import registries_conf


def conf(path: Path, text: str) -> str:
    path.write_text(text)
    return registries_conf({"CONTAINERS_REGISTRIES_CONF": str(path)})


def test_short_names_are_docker_hub_s_where_the_machine_says_nothing(tmp_path: Path) -> None:
    read = tomllib.loads(registries_conf({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "none")}))
    assert read == {"unqualified-search-registries": ["docker.io"], "short-name-mode": "permissive"}


def test_the_machine_s_mirrors_stay(tmp_path: Path) -> None:
    mirror = '# unqualified-search-registries = ["x"]\n[[registry]]\nprefix = "docker.io"\nlocation = "mirror"\n'
    read = tomllib.loads(conf(tmp_path / "r", mirror))
    assert read["registry"] == [{"prefix": "docker.io", "location": "mirror"}]
    assert read["unqualified-search-registries"] == ["docker.io"]


def test_the_machine_s_own_search_stays(tmp_path: Path) -> None:
    read = tomllib.loads(conf(tmp_path / "r", 'unqualified-search-registries = ["own"]\n'))
    assert read["unqualified-search-registries"] == ["own"]
