from importlib import metadata
from pathlib import Path

import pytest

from wherry.kinds import schema
from wherry.kinds.schema import compile as compiler


@pytest.fixture(scope="module")
def models() -> Path:
    return Path(str(metadata.distribution("lightkube-models").locate_file("lightkube/models")))


def test_the_table_in_the_package_is_what_the_compiler_makes_of_the_pinned_models(models: Path) -> None:
    entries, docs = compiler.compile_models(models)
    table = schema.load()
    assert set(table.names()) == set(entries)
    assert all(table.entry(name) == entry for name, entry in entries.items())
    assert table.docs() == docs


def test_compiling_twice_writes_the_same_bytes(models: Path, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in compiler.write(models, tmp_path)]
    assert [path.read_bytes() for path in compiler.write(models, tmp_path)] == first


def test_a_fact_about_a_field_that_the_models_lack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "core_v1.py").write_text("class Pod:\n    spec: 'Optional[str]' = None\n")
    with pytest.raises(ValueError, match=r"fields that the models do not have: .*Container\.ports"):
        compiler.compile_models(tmp_path)


def test_descriptions_keep_their_paragraphs_and_lose_their_line_breaks(models: Path) -> None:
    _, docs = compiler.compile_models(models)
    said = docs["io.k8s.api.apps.v1.DeploymentStrategy"]
    assert said[""] == "DeploymentStrategy describes how to replace existing pods with new ones."
    assert said["type"] == 'Type of deployment. Can be "Recreate" or "RollingUpdate". Default is RollingUpdate.'
    assert set(said) == {"", "type", "rollingUpdate"}
