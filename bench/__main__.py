"""python -m bench [KUBECONFIG ...]: measure the clusters named, one after another; without any, an engine of its own.

The first cluster's figures are compared with the second's. Run it as root on the clusters' machine: it calls Services
by their addresses and reads /proc. Clusters that are named need the pods' image: `--image FILE` writes it for loading.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bench import api, engine, pods, processes, recovery
from bench.cluster import Cluster
from bench.figures import Figure, machine, seconds, table, write

PARTS = ("idle", "pods", "rollout", "kill", "api")
SETTLES = 5.0  # seconds after a start or a load of images that a server is given before it has to be idle
DOCUMENT = Path(__file__).parent.parent / "docs" / "PERFORMANCE.md"


async def figures(
    path: Path, parts: Sequence[str], window: float, own: engine.Own | None = None
) -> tuple[str, list[Figure]]:
    """The server's version, and all that was measured of it, told as it comes. Only an `own` engine is killed."""
    found: list[Figure] = []
    async with Cluster(path) as cluster:
        version = (await cluster.call("GET", "/version"))["gitVersion"]
        if "idle" in parts:
            pids = processes.of_server(urlsplit(cluster.url).port or 443)
            await asyncio.sleep(SETTLES)
            found += await processes.measure(pids, window) if pids else ()
        await cluster.begin()
        try:
            async for figure in _in_namespace(cluster, parts, own):
                print(f"  {figure.name}: {figure.value:.3g} {figure.unit}", file=sys.stderr, flush=True)
                found.append(figure)
        finally:
            took = await cluster.end()
        holding = " with 2,000 ConfigMaps" if "api" in parts else ""
        found.append(seconds(f"delete a namespace{holding}", took))
    return version, found


async def _in_namespace(cluster: Cluster, parts: Sequence[str], own: engine.Own | None) -> AsyncIterator[Figure]:
    for part, measure in (("pods", pods.measure), ("rollout", pods.rollouts), ("api", api.measure)):
        if part == "api" and "kill" in parts and own is not None:  # after what is compared: removals slow a disk down
            async for figure in recovery.measure(cluster, own):
                yield figure
        if part in parts:
            async for figure in measure(cluster):
                yield figure


async def run(given: argparse.Namespace) -> None:
    results: dict[str, list[Figure]] = {}
    versions: dict[str, str] = {}
    if not given.kubeconfig or given.own:
        async with engine.running(pods.IMAGE) as (own, cold):
            versions["wherry"], found = await figures(own.kubeconfig, given.only, given.window, own)
            results["wherry"] = [cold, *found]
    for path in given.kubeconfig:
        async with Cluster(path) as cluster:
            name = cluster.access.context
        versions[name], results[name] = await figures(path, given.only, given.window)
    said = table(results)
    print(said)
    if given.write:
        write(DOCUMENT, f"{machine(versions)}\n\n{said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kubeconfig", nargs="*", type=Path)
    parser.add_argument("--own", action="store_true", help="an engine of its own first, beside those named")
    parser.add_argument("--only", default=PARTS, type=lambda text: text.split(","), help=f"of {','.join(PARTS)}")
    parser.add_argument("--window", default=30.0, type=float, metavar="SECONDS", help="of idleness that are measured")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{DOCUMENT.name}")
    parser.add_argument("--image", type=Path, metavar="FILE", help="write the pods' image there, and end")
    given = parser.parse_args()
    if unknown := set(given.only) - set(PARTS):
        parser.error(f"--only: no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if given.image:
        given.image.write_bytes(engine.archive(pods.IMAGE))
    else:
        asyncio.run(run(given))


if __name__ == "__main__":
    main()
