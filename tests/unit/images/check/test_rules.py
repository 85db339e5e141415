"""Each rule on a file that it objects to and on the one that its fix makes."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.images.check import ignore
from wherry.images.check.check import apply, check
from wherry.images.check.dockerfile import expand, parse
from wherry.images.check.finding import Level
from wherry.images.check.folder import Builder, Folder
from wherry.images.check.sarif import sarif

TODAY = date(2026, 11, 1)
GOOD = Folder(
    files={"app.py": 10, "requirements.txt": 20, ".dockerignore": 5},
    ignore=ignore.parse(".git"),
    requirements={"flask": "==3.1.0", "gunicorn": "==23.0.0"},
    locked=True,
)
CLEAN = """\
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --target /deps -r requirements.txt && python -m compileall -q /usr/lib/python3
FROM python:3.13-slim
WORKDIR /app
COPY --from=build /deps /deps
COPY . .
USER 10001:10001
CMD ["gunicorn", "--bind", "0.0.0.0:5000", "--worker-tmp-dir", "/dev/shm", "app:app"]
"""


def rules(text: str, folder: Folder = GOOD, *, strict: bool = False) -> list[str]:
    return [one.rule for one in check(text, "Dockerfile", folder, TODAY, strict=strict)]


def test_a_good_file_has_no_findings() -> None:
    assert rules(CLEAN) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("FROM python:3.13-slim\n", "FROM python\n", "D01"),
        ("FROM python:3.13-slim\n", "FROM registry.example.com:5000/python:latest\n", "D01"),
        ("COPY requirements.txt .\nRUN", "COPY . .\nRUN", "D02"),
        ("USER 10001", "ENV DB_PASSWORD=x\nUSER 10001", "D04"),
        ("USER 10001", "ARG API_KEY\nUSER 10001", "D04"),
        ("USER 10001", "COPY .env /app/.env\nUSER 10001", "D04"),
        ("USER 10001:10001\n", "", "D05"),
        ("USER 10001:10001", "USER root", "D05"),
        (
            'CMD ["gunicorn", "--bind", "0.0.0.0:5000", "--worker-tmp-dir", "/dev/shm", "app:app"]',
            "CMD python app.py",
            "D06",
        ),
        ("COPY . .", "COPY . .\nRUN pip install -r requirements.txt", "D07"),
        ("COPY . .", "COPY . .\nRUN apt-get update && apt-get install -y curl", "D07"),
        ("COPY . .", "COPY . .\nRUN chown -R 10001 /app", "D08"),
        ("COPY . .", "COPY . .\nRUN rm -rf /app/tests", "D08"),
        ("COPY . .", "COPY . .\nRUN apt-get install -y gcc && rm -rf /var/lib/apt/lists/*", "D09"),
        (" && python -m compileall -q /usr/lib/python3", "", "D10"),
        ("-r requirements.txt &&", "-r requirements.txt flask &&", "D12"),
        ("--from=build", "--from=5", "D13"),
        ("COPY --from=build /deps /deps\n", "COPY missing.txt /app/\n", "D13"),
        ("AS build", "AS build\nFROM build as BUILD", "D13"),
        ("FROM python:3.13-slim\n", "FROM python:$VERSION\n", "D13"),
        ("COPY . .", "ADD . .", "D14"),
        ("COPY . .", "COPY . .\nRUN curl -fsS https://example.com/install.sh | sh", "D14"),
        ("COPY . .", "COPY . .\nADD https://example.com/tool /bin/tool", "D14"),
        ("FROM python:3.13-slim AS build", "FROM python:3.13-alpine AS build", "D15"),
        ("COPY . .", "COPY . .\nENV MODE production", "D16"),
        ("USER 10001:10001", 'USER 10001\nCMD ["old"]', "D16"),
        ('"--bind", "0.0.0.0:5000"', '"--reload"', "D17"),
        ('"gunicorn", "--bind"', '"hypercorn", "--bind"', "D17"),
        ("0.0.0.0:5000", "127.0.0.1:5000", "D18"),
        ('"--worker-tmp-dir", "/dev/shm", ', "", "D20"),
        ("FROM python:3.13-slim\n", "FROM python:3.7-slim\n", "D21"),
    ],
)
def test_each_rule_fires_on_what_it_names(old: str, new: str, rule: str) -> None:
    assert old in CLEAN
    assert rule in rules(CLEAN.replace(old, new, 1))


def test_the_workers_of_a_shell_command_are_counted() -> None:
    text = CLEAN.replace('CMD ["gunicorn"', 'CMD ["sh", "-c", "exec gunicorn -w $(nproc) app:app", "gunicorn"')
    assert "D19" in rules(text)


def test_a_named_user_is_told_of_only_when_asked() -> None:
    text = CLEAN.replace("10001:10001", "app")
    assert rules(text) == []
    assert rules(text, strict=True) == ["D05"]


def test_the_builder_is_asked_what_it_can_read() -> None:
    text = CLEAN.replace("COPY . .", "COPY --link . .")
    old, new = Builder("buildah", (1, 28, 2)), Builder("buildah", (1, 41))
    assert rules(text, replace(GOOD, builder=old)) == ["D11"]
    assert rules(text, replace(GOOD, builder=new)) == []


@pytest.mark.parametrize(
    ("written", "since"),
    [
        ("COPY --link . .", (23, 0)),
        ("COPY --exclude=a . .", (29, 0)),
        ("ADD --link a.tar .", (23, 0)),
        ("ADD --checksum=sha256:0 https://host/a.tar .", (25, 0)),
        ("HEALTHCHECK --start-interval=1s CMD true\nCOPY . .", (25, 0)),
        ("RUN --network=none true\nCOPY . .", (23, 0)),
        ("RUN <<EOF\ntrue\nEOF\nCOPY . .", (23, 0)),
    ],
)
def test_docker_s_daemon_is_asked_what_its_buildkit_can_read(written: str, since: tuple[int, int]) -> None:
    text = CLEAN.replace("COPY . .", written)
    old, new = (replace(GOOD, builder=Builder("docker", version)) for version in ((20, 10, 24), since))
    assert "D11" in rules(text, old)
    assert "D11" not in rules(text, new)
    frontend = check(f"# syntax=docker/dockerfile:1\n{text}", "Dockerfile", old, TODAY)
    assert [one.level for one in frontend if one.rule == "D11"] == [Level.NOTE]


def test_what_the_builder_lacks_is_told_with_the_builders_that_have_it() -> None:
    folder = replace(GOOD, builder=Builder("docker", (20, 10, 24)))
    (found,) = check(CLEAN.replace("COPY . .", "COPY --link . ."), "Dockerfile", folder, TODAY)
    assert found.message == "COPY --link needs docker 23; 20.10.24 is here"
    assert found.fix == "write it without COPY --link, or build with buildah 1.41 or docker 23, or newer"


def test_a_folder_without_an_ignore_file_is_measured() -> None:
    folder = replace(GOOD, ignore=None, files={"app.py": 1000, "requirements.txt": 1, ".git/pack": 2_500_000})
    (finding,) = check(CLEAN, "Dockerfile", folder, TODAY)
    assert finding.rule == "D03"
    assert "2.5 MB" in finding.message
    assert "in .git" in finding.message


def test_an_ignore_line_without_a_slash_reaches_the_root_only() -> None:
    folder = replace(
        GOOD,
        files={"app.py": 1, "requirements.txt": 1, "web/node_modules/x.js": 9},
        ignore=ignore.parse("node_modules/"),
        ignore_lines=("node_modules/",),
    )
    found = [one for one in check(CLEAN, "Dockerfile", folder, TODAY) if one.file == ".dockerignore" and one.edit]
    assert [one.edit.text for one in found if one.edit] == ["**/node_modules"]


def test_what_is_allowed_with_a_reason_is_not_told() -> None:
    text = CLEAN.replace("USER 10001:10001", "# wherry: allow D05 because the app binds to port 80\nUSER root")
    assert rules(text) == []
    reasonless = text.replace(" because the app binds to port 80", "")
    assert sorted(rules(reasonless)) == ["D00", "D05"]
    assert rules("# wherry: allow D21 because a test wants it\n" + CLEAN.replace("3.13", "3.7")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COPY . .", "ADD app.py /app/"),
        ("COPY . .", "COPY . .\nENV MODE production of it"),
        (
            'CMD ["gunicorn", "--bind", "0.0.0.0:5000", "--worker-tmp-dir", "/dev/shm", "app:app"]',
            "CMD gunicorn --bind 0.0.0.0:5000 --worker-tmp-dir /dev/shm app:app",
        ),
        ("--no-cache-dir --target", "--target"),
    ],
)
def test_a_safe_fix_ends_its_finding(old: str, new: str) -> None:
    text = CLEAN.replace(old, new).replace("COPY --from=build /deps /deps\n", "RUN pip install -r requirements.txt\n")
    before = check(text, "Dockerfile", GOOD, TODAY)
    edits = [one.edit for one in before if one.edit]
    assert edits
    after = check(apply(text, edits), "Dockerfile", GOOD, TODAY)
    assert [one for one in after if one.edit] == []
    assert len(after) == len(before) - len(edits)


def test_a_broken_file_is_one_finding_with_its_line() -> None:
    (finding,) = check("FROM a:1\nRUM x\n", "Dockerfile", GOOD, TODAY)
    assert (finding.rule, finding.line) == ("D00", 2)
    assert "RUM" in finding.message


def test_continuations_comments_and_here_documents_are_read() -> None:
    text = (
        "ARG V=1\nFROM a:${V} AS one\nRUN x \\\n  # why\n\n  && y\nCOPY <<EOF /f\nFROM b\nEOF\nENV A=1 B='two words'\n"
    )
    (stage,) = parse(text).stages
    assert (stage.base, stage.name) == ("a:1", "one")
    run, copy, env = stage.instructions
    assert (run.text, run.line, run.last_line) == ("x && y", 3, 6)
    assert list(copy.heredocs) == ["FROM b"]
    assert env.pairs() == [("A", "1"), ("B", "two words")]


def test_variables_have_defaults_and_alternatives() -> None:
    assert expand("${A:-x} ${B:+y} $B \\$B", {"B": "1"}) == "x y 1 \\$B"


@given(st.text(alphabet="FROM RUNCOPY<[]\"'\\\n #=-a1$&|.", max_size=120))
def test_no_text_makes_the_check_fail(text: str) -> None:
    for finding in check(text, "Dockerfile", GOOD, TODAY):
        assert finding.cost
        assert finding.fix


@pytest.mark.parametrize(
    ("pattern", "path", "out"),
    [
        (".git", ".git/config", True),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "b/a.pyc", False),
        ("**/*.pyc", "b/c/a.pyc", True),
        ("a\n!a/keep", "a/keep", False),
        ("a\n!a/keep", "a/other", True),
        ("x?[0-9]", "xy7/z", True),
        ("# note\n\n/build/", "build/x", True),
    ],
)
def test_ignore_patterns(pattern: str, path: str, out: bool) -> None:
    assert ignore.parse(pattern).covers(path) is out


def test_sarif_names_rule_place_and_level() -> None:
    found = check(CLEAN.replace("USER 10001:10001\n", ""), "Dockerfile", GOOD, TODAY)
    (result,) = sarif(found, "1")["runs"][0]["results"]
    assert result["ruleId"] == "D05"
    assert result["level"] == "warning"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "Dockerfile"
