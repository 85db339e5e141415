"""Why a build failed, in words that help, from what the builder said last. Pure."""

import re
from collections.abc import Sequence

from wherry.images.errors import BuildError
from wherry.images.source import Source
from wherry.images.steps import Step, spoken

_EXIT = re.compile(
    r"^Error: (?:building at STEP .*exit status|(?:executor failed running|process \").*exit code:) (\d+)$",
    re.MULTILINE | re.DOTALL,
)
_PULL = re.compile(
    r"(?:initializing source|pinging container registry|reading manifest|unable to copy from source) docker://(\S+?):? "
)
_ADDRESS = re.compile(r"\w+://[^\s/@]*@")
_NOISE = re.compile(r'time="[^"]*" level=\w+ msg=|Error: |Trying to pull |subprocess exited with status ')
_TAIL_LINES = 12


def explain(source: Source, step: Step | None, said: Sequence[str], code: int) -> BuildError:
    """`said` are the last lines, the builder's own errors among them."""
    whole = "\n".join(said)
    if match := _PULL.search(whole):
        return no_base(source, match[1], cause(said))
    where = _where(source, step)
    line = step.instruction.line if step else 0
    if "no space left on device" in whole:
        return BuildError(f"{where}: the disk is full; free some space and build again", line=line)
    tail = tuple(line for line in said if not _NOISE.match(line))[-_TAIL_LINES:]
    if match := _EXIT.search(whole):
        quoted = "".join(f"\n    {line}" for line in tail)
        return BuildError(f"{where}: exit code {match[1]}{quoted}", line=line, tail=tail)
    return BuildError(f"{where}: {cause(said) or f'the builder ended with code {code}'}", line=line, tail=tail)


def no_base(source: Source, reference: str, cause: str) -> BuildError:
    """The build needs an image that is not here and cannot be had."""
    name = next((name for name in source.images() if name == reference or name.startswith(reference)), reference)
    line = source.images().get(name, 0)
    place = f"{source.file}, line {line}" if line else str(source.file)
    why = f": {cause}" if cause else ""
    return BuildError(
        f"{place}: the image {name} is not on this machine and cannot be pulled{why}\n"
        "What helps:\n"
        "  - without a registry: `wherry image base` makes localhost/wherry/python:3.11 from Debian packages; put\n"
        "    that in FROM, or in the ARG that FROM uses\n"
        f"  - with an archive of it (`docker save`, `skopeo copy`): `wherry image load FILE` gives it the name {name}\n"
        "  - with a mirror in your network: name it in /etc/containers/registries.conf, under [[registry]] (buildah),\n"
        "    or under registry-mirrors in /etc/docker/daemon.json (docker)\n"
        "  - behind a proxy: set HTTPS_PROXY; for a private registry: `docker login` or `podman login`",
        line=line,
    )


def _where(source: Source, step: Step | None) -> str:
    if step is None:
        return str(source.file)
    return f"{source.file}, line {step.instruction.line} (step {step.number}): {spoken(step.instruction)}"


def cause(said: Sequence[str]) -> str:
    """The builder's last error, without its log format and without passwords in addresses."""
    errors = [line for line in said if line.startswith("Error: ")]
    text = errors[-1].removeprefix("Error: ") if errors else next(iter(reversed(said)), "")
    return _ADDRESS.sub(lambda match: match[0].partition("://")[0] + "://", text)[:600]
