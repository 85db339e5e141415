import base64
import hashlib
from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layers.wheels import distributions

INFO = "tool-1.0.dist-info"


def installed(target: Path, shebang: str = "#!/home/someone/.venv/bin/python", **more: str) -> Path:
    """What uv leaves in a target directory."""
    files = {
        "tool/__init__.py": "x = 1\n",
        "bin/tool": f"{shebang}\nthe script that uv made\n",
        "bin/helper": f"{shebang}\nprint(1)\n",
        "bin/shell": "#!/bin/sh\n",
        f"{INFO}/entry_points.txt": "[console_scripts]\ntool = tool.cli:Main.run\n",
        f"{INFO}/INSTALLER": "uv",
        **more,
    }
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    listed = "\n".join(f"{name},sha256=old,1" for name in (*files, "tool/__pycache__/x.cpython-312.pyc"))
    (target / INFO / "RECORD").write_text(f"{listed}\n{INFO}/RECORD,,\n")
    return target


def contents(target: Path) -> dict[str, bytes]:
    (found,) = distributions(target, "3.11")
    return {member.name: member.data for member in found.members if isinstance(member.data, bytes)}


def test_a_distribution_is_where_a_virtual_environment_has_it(tmp_path: Path) -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    names = contents(installed(tmp_path))
    assert names[f"{site}/tool/__init__.py"] == b"x = 1\n"
    assert {name for name in names if "/bin/" in name} == {
        "opt/venv/bin/tool",
        "opt/venv/bin/helper",
        "opt/venv/bin/shell",
    }
    assert not any("INSTALLER" in name or name.endswith(".pyc") for name in names)


def test_scripts_name_the_image_s_interpreter(tmp_path: Path) -> None:
    names = contents(installed(tmp_path))
    assert names["opt/venv/bin/tool"].decode().splitlines() == [
        "#!/opt/venv/bin/python",
        "import sys",
        "from tool.cli import Main",
        'if __name__ == "__main__":',
        "    sys.exit(Main.run())",
    ]
    assert names["opt/venv/bin/helper"] == b"#!/opt/venv/bin/python\nprint(1)\n"
    assert names["opt/venv/bin/shell"] == b"#!/bin/sh\n"


def test_the_record_tells_what_is_in_the_image(tmp_path: Path) -> None:
    names = contents(installed(tmp_path))
    rows = names[f"opt/venv/lib/python3.11/site-packages/{INFO}/RECORD"].decode().splitlines()
    data = names["opt/venv/bin/helper"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert f"../../../bin/helper,sha256={digest},{len(data)}" in rows
    assert rows[-1] == f"{INFO}/RECORD,,"
    assert len(rows) == len(names)


def test_where_it_was_installed_does_not_matter(tmp_path: Path) -> None:
    one = installed(tmp_path / "one", "#!/home/one/python3.12")
    two = installed(tmp_path / "two" / "deeper", "#!/root/.venv/bin/python")
    assert distributions(one, "3.11") == distributions(two, "3.11")


def test_a_record_that_leads_out_is_refused(tmp_path: Path) -> None:
    target = installed(tmp_path / "target")
    (tmp_path / "secret").write_text("x")
    with (target / INFO / "RECORD").open("a") as record:
        record.write("../secret,,\n")
    with pytest.raises(ImageError, match=r"its RECORD names \.\./secret, which is not in it"):
        distributions(target, "3.11")
