import subprocess
from pathlib import Path

import pytest

from wherry.images.layers.selection import select


def folder(path: Path, **files: str) -> Path:
    for name, text in files.items():
        file = path / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def chosen(path: Path) -> set[str]:
    return set(select(path).files)


GITIGNORES = [
    "*.log\n",
    "/top.txt\n",
    "build/\n!build/keep.txt\n",
    "sub/*.txt\n!sub/b.txt\n",
    "# nothing\n\n**/deep\n",
    "*.txt\n!top.txt\n",
    "sub\n",
]


@pytest.mark.parametrize("rules", GITIGNORES)
def test_git_says_the_same(tmp_path: Path, rules: str) -> None:
    names = ("top.txt", "a.log", "sub/a.txt", "sub/b.txt", "sub/deep/c.txt", "build/keep.txt", "build/x.o", "app.py")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text(rules)
    (tmp_path / "sub" / ".gitignore").write_text("/a.*\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    words = ("git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-per-directory=.gitignore")
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert chosen(tmp_path) == {name for name in said if not name.endswith(".gitignore")}


def test_what_no_image_may_hold_stays_out(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n"
    folder(
        tmp_path,
        **{"app.py": "", "_dot_env": "SECRET=1", "tls.key": key, "ca.pem": "-----BEGIN CERTIFICATE-----\n"},
        **{"_dot_venv__bin__python": "", "tests__test_a.py": "", "pkg__tests__x.py": ""},
    )
    selection = select(tmp_path)
    assert set(selection.files) == {"app.py", "ca.pem", "pkg/tests/x.py"}
    assert {".env", ".venv", "tests", "tls.key"} <= set(selection.left_out)


def test_the_ignore_file_decides_and_takes_back(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "", "docs__b.txt": "", "docs__keep.txt": "", "tests__t.py": ""})
    (tmp_path / ".dockerignore").write_text("docs\n!docs/keep.txt\n!tests\n")
    assert chosen(tmp_path) == {"a.txt", "docs/keep.txt", "tests/t.py"}


def test_new_rules_are_heeded_for_files_that_were_in(tmp_path: Path) -> None:
    folder(tmp_path, **{"a.txt": "", "b.txt": ""})
    before = select(tmp_path)
    assert set(select(tmp_path, before.files, before.rules).files) == {"a.txt", "b.txt"}
    (tmp_path / ".dockerignore").write_text("b.txt\n")
    assert set(select(tmp_path, before.files, before.rules).files) == {"a.txt"}


def test_a_directory_that_is_kept_by_nothing_but_a_placeholder_is_known(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / ".gitignore").write_text("")
    (tmp_path / ".git").mkdir()
    found = select(tmp_path)
    assert not found.files
    assert found.directories == {"media"}


def test_a_source_distribution_brings_what_git_is_told_to_ignore(tmp_path: Path) -> None:
    made = folder(tmp_path, _dot_gitignore="_version.py\n", _version_dot_py="version = 1\n")
    assert chosen(made) == set()
    (tmp_path / "PKG-INFO").write_text("Name: a\n")
    assert "_version.py" in chosen(made)
