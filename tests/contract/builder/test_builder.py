"""What every builder of Dockerfiles keeps to. All of it is real: the base, the package settings, the daemon."""

import asyncio
import contextlib
import io
import sys
import tarfile
from datetime import date
from pathlib import Path

import pytest

from tests.support.build import BASE, Builder, folder, processes
from wherry.images.build import build
from wherry.images.builders.at_hand import at_hand
from wherry.images.built import BuildEvent
from wherry.images.check.check import check
from wherry.images.check.folder import look
from wherry.images.errors import BuildError
from wherry.process import run

pytestmark = pytest.mark.root

PASSWORD = "p4ssw0rd-that-no-image-may-hold"  # a fact of the test, no secret


async def test_an_unchanged_folder_gives_the_same_image_from_the_cache(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}COPY a.txt /a.txt\nRUN echo made > /made\n", a_txt="one")
    first = await builder(app)
    second = await builder(app)
    assert builder.cached()[1:] == [True, True]
    assert (second.digest, second.reference) == (first.digest, "docker.io/library/app:latest")
    (app / "a.txt").write_text("two")
    assert (await builder(app)).digest != first.digest
    assert builder.left() == []


async def test_run_has_the_host_s_settings_and_the_image_has_none(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TRUSTED_HOST", PASSWORD)
    monkeypatch.setenv("UV_INSECURE_HOST", PASSWORD)
    monkeypatch.setenv("FTP_PROXY", f"http://user:{PASSWORD}@127.0.0.1:9")
    shows = (
        "RUN pip config list; cat ${XDG_CONFIG_DIRS%%:*}/uv/uv.toml; echo $FTP_PROXY; tr '\\0' ' ' < /proc/1/cmdline\n"
    )
    knows = "RUN python -c \"import os, ssl; ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])\"\n"
    built = await builder(folder(tmp_path / "app", f"{BASE}USER 10001\n{shows}{knows}"))
    shown, command = builder.said()[:-1], builder.said()[-1]
    assert [PASSWORD in line for line in shown if "=" in line or "http" in line].count(True) == 3
    assert any(word in command for word in ("buildah", "/bin/sh", "tr "))
    assert PASSWORD not in command
    for name, data in builder.files(built).items():
        assert PASSWORD.encode() not in data, name
        assert b"wherry-build/ca" not in data, f"{name} has a file or variable of the build"
        assert b"wherry-build/xdg" not in data, f"{name} has a file or variable of the build"
    kept = await run("grep", "-rl", PASSWORD, str(builder.store), check=False)
    assert kept.stdout == ""


async def test_the_ignore_file_is_honoured(builder: Builder, tmp_path: Path) -> None:
    app = folder(
        tmp_path / "app", f"{BASE}COPY . /app/\nRUN ls -A /app\n", _env="SECRET=1", _dockerignore=".env\n", a_py=""
    )
    await builder(app)
    assert ".env" not in builder.said()
    assert "a.py" in builder.said()


async def test_a_failing_run_names_step_line_and_last_words(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}\n# why not\nRUN echo before; \\\n    echo no such luck; exit 7\n")
    with pytest.raises(BuildError) as failed:
        await builder(app)
    assert (failed.value.line, failed.value.tail) == (4, ("before", "no such luck"))
    assert f"{app}/Dockerfile, line 4 (step 2): RUN echo before;" in str(failed.value)
    assert "exit code 7" in str(failed.value)
    assert builder.left() == []


async def test_a_base_that_cannot_be_had_says_what_helps(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", "ARG BASE=localhost/nobody/made:this\nFROM ${BASE}\n")
    with pytest.raises(
        BuildError, match=r"line 2: the image localhost/nobody/made:this is not on this machine"
    ) as failed:
        await builder(app)
    assert "wherry image base" in str(failed.value)
    with pytest.raises(
        BuildError, match=r"127\.0\.0\.1:9/none:1 is not on this machine and cannot be pulled: .*refused"
    ):
        await builder(app, args={"BASE": "127.0.0.1:9/none:1"})
    assert builder.left() == []


async def test_a_file_that_is_not_there_is_named_with_its_line(builder: Builder, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"line 2 \(step 2\): COPY nowhere") as failed:
        await builder(folder(tmp_path / "app", f"{BASE}COPY nowhere /a\n"))
    assert failed.value.line == 2
    assert builder.left() == []


@pytest.mark.parametrize(
    "written",
    [
        "COPY a.txt /a",
        "COPY --chmod=600 a.txt /a",
        "COPY --link a.txt /a",
        "COPY --exclude=b a.txt /a",
        "COPY --parents a.txt /a/",
        "HEALTHCHECK --start-interval=1s CMD true",
        "COPY <<EOF /a\nhi\nEOF",
    ],
)
async def test_it_refuses_what_check_says_that_it_cannot_read(builder: Builder, tmp_path: Path, written: str) -> None:
    app = folder(tmp_path / "app", f"{BASE}{written}\n", a_txt="one")
    here = await at_hand(builder.name)
    assert here is not None
    found = check((app / "Dockerfile").read_text(), "Dockerfile", look(app, here), date(2026, 11, 1))
    lacks = any(one.rule == "D11" for one in found)
    with pytest.raises(BuildError) if lacks else contextlib.nullcontext():
        await builder(app)


async def test_a_cancelled_build_leaves_nothing(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}RUN sleep 4242 & echo started; sleep 4243\n")
    started = asyncio.Event()
    builder.events = []

    def on_event(event: BuildEvent) -> None:
        if event.text == "started":
            started.set()

    task = asyncio.create_task(
        build(
            app,
            reference="cancelled",
            store=builder.store,
            builder=builder.name,
            on_event=on_event,
        )
    )
    async with asyncio.timeout(30):
        await started.wait()
    assert processes("sleep 4242")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert builder.left() == []
    assert processes("sleep 424") == []
    assert builder.layout.find("docker.io/library/cancelled:latest") is None


async def test_a_build_that_was_killed_is_tidied_by_the_next(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}RUN sleep 4244\n")
    script = (
        "import asyncio, sys; from pathlib import Path; from wherry.images.build import build\n"
        "asyncio.run(build(Path(sys.argv[1]), reference='killed', store=Path(sys.argv[2]),"
        " builder=sys.argv[3], on_event=lambda event: print(event.text, flush=True)))"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(app), str(builder.store), builder.name, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(60):
        while b"sleep" not in (line := await child.stdout.readline()):
            assert line, "it ended before it was killed"
    child.kill()
    await child.wait()
    await builder(folder(tmp_path / "next", f"{BASE}RUN true\n"))
    assert builder.left() == []
    assert [line for line in processes("sleep 4244") if line.startswith("sleep")] == []


async def test_stages_images_and_arguments_mean_what_the_dockerfile_says(builder: Builder, tmp_path: Path) -> None:
    text = (
        "ARG BASE=localhost/nobody/made:this\n"
        "FROM --platform=linux/amd64 \\\n    $BASE AS made\n"
        "ARG WORD\nRUN python3 -c \"import os; open('/word', 'w').write(os.environ['WORD'])\"\n"
        "FROM ${BASE}-runtime\nCOPY --from=made /word /word\n"
        "COPY --from=localhost/wherry/python:3.11 \\\n  /usr/bin/python3.11 /other\n"
        "FROM made AS never\nRUN false\n"
        "FROM made AS asked\nENV A=1\nRUN cat /word /proc/*/cmdline | tr '\\0' ' '\n"
    )
    args = {"BASE": "localhost/wherry/python:3.11", "WORD": PASSWORD}
    app = folder(tmp_path / "app", text)
    built = await builder(app, target="asked", args=args)
    (shown,) = builder.said()
    assert shown.startswith(PASSWORD)
    assert PASSWORD not in shown.removeprefix(PASSWORD)
    assert next((event.step, event.line) for event in builder.events if event.text.startswith("RUN cat")) == (11, 14)
    assert {event.steps for event in builder.events} == {11}
    assert builder.layout.read_json(built.digest)["annotations"]["org.opencontainers.image.base.name"] == args["BASE"]
    (app / "Dockerfile").write_text(text.partition("FROM made AS never")[0])
    second = await builder(app, args=args)
    config = builder.config(second)["config"]
    assert isinstance(config, dict)
    assert not [entry for entry in config["Env"] if "wherry" in entry]
    names = [name for layer in layers(builder, second.digest)[-2:] for name in layer.getnames()]
    assert [name for name in names if name in ("word", "other")] == ["word", "other"]


def layers(builder: Builder, digest: str) -> list[tarfile.TarFile]:
    blobs = [builder.layout.path(layer["digest"]) for layer in builder.layout.read_json(digest)["layers"]]
    return [tarfile.open(fileobj=io.BytesIO(path.read_bytes())) for path in blobs]


async def test_what_a_build_made_is_of_the_time_that_was_asked_for(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    built = await builder(folder(tmp_path / "app", f"{BASE}RUN echo made > /made\nCOPY a.txt /a.txt\n", a_txt="one"))
    config = builder.config(built)
    assert str(config["created"]).startswith("2023-11-14T22:13:20")
    base = len(layers(builder, builder.layout.names()["localhost/wherry/python:3.11"].digest))
    made = [member for layer in layers(builder, built.digest)[base:] for member in layer]
    assert {"made", "a.txt"} <= {member.name for member in made}
    assert {member.mtime for member in made} == {1700000000}
