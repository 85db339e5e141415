from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layers.install import Platform, environment, without_wheels


def test_packages_without_a_wheel_are_found_in_what_uv_says() -> None:
    said = """
      × No solution found when resolving dependencies:
      ╰─▶ Because docopt==0.6.2 has no usable wheels and you require docopt==0.6.2, we can
          conclude that your requirements are unsatisfiable.
          hint: Wheels are required for `docopt` because building from source is disabled
    """
    assert without_wheels(said) == ["docopt==0.6.2"]
    assert without_wheels("there is no version of flask==99") == []


@pytest.mark.parametrize(("glibc", "tag"), [("2.36", "2_36"), ("2.41", "2_40"), ("2.28", "2_28"), ("2.30", "2_28")])
def test_the_wheels_fit_the_base_s_c_library(glibc: str, tag: str) -> None:
    assert Platform("3.11", "arm64", glibc).words[-1] == f"aarch64-manylinux_{tag}"


def test_other_processors_are_refused() -> None:
    with pytest.raises(ImageError, match="no wheels are known for s390x"):
        _ = Platform("3.11", "s390x").words


def test_uv_gets_pip_s_indexes_where_it_has_none(tmp_path: Path) -> None:
    pip = {"PIP_INDEX_URL": "https://user:word@index.test/simple", "PIP_TRUSTED_HOST": "index.test"}
    found = environment(pip, tmp_path)
    assert (found["UV_DEFAULT_INDEX"], found["UV_INSECURE_HOST"]) == (pip["PIP_INDEX_URL"], "index.test")
    own = environment({**pip, "UV_INDEX": "https://own.test/simple"}, tmp_path)
    assert "UV_DEFAULT_INDEX" not in own
