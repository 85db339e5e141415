from pathlib import Path

from wherry.images.builders.rewritten import rewritten
from wherry.images.source import read_source

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM --platform=linux/amd64 \\
    python:3.11 AS one
run pip \\
  install x
COPY --from=other:1 --chown=1:1 /a /b
COPY --from=one /a /b
FROM one
RUN <<END
RUN this is no instruction
END
FROM unknown
"""
MOUNTS = (
    "--mount=type=tmpfs,target=/run/wherry-build "
    "--mount=type=secret,id=xdg/pip.conf,target=/run/wherry-build/xdg/pip.conf,mode=0444"
)


def test_images_are_named_as_lent_and_each_run_has_the_settings(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    lent = {"docker.io/library/python:3.11": "lent:1", "docker.io/library/other:1": "lent:2"}
    assert rewritten(read_source(tmp_path, None, None, {}), lent, ["xdg/pip.conf"]) == (
        "# syntax=docker/dockerfile:1\nFROM --platform=linux/amd64 lent:1 AS one\n\n"
        f"run {MOUNTS} pip \\\n  install x\n"
        "COPY --from=lent:2 --chown=1:1 /a /b\nCOPY --from=one /a /b\nFROM one\n"
        f"RUN {MOUNTS} <<END\nRUN this is no instruction\nEND\nFROM unknown\n"
    )
