"""`python -m bench.folders [NAME ...] [--write]`: every folder of the list, one after the other, and a table."""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench.folders.fetch import index_url
from bench.folders.run import Engine, Outcome, listed, tried
from bench.folders.table import table

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "FOLDERS.md"


def main() -> int:
    """0 if as many answer as are to."""
    read = argparse.ArgumentParser(prog="python -m bench.folders", description=__doc__)
    read.add_argument("names", nargs="*", help="only those whose file starts so")
    read.add_argument("--write", action="store_true", help="write docs/FOLDERS.md")
    read.add_argument("--least", type=int, default=30, help="how many must answer 200")
    read.add_argument("--slot", type=int, default=0, help="another number for each run at the same time, up to 8")
    read.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "wherry-folders")
    given = read.parse_args()
    projects = listed()
    chosen = [
        one
        for one in projects
        if not given.names or one.title.lower().startswith(tuple(name.lower() for name in given.names))
    ]
    kept = given.cache / "outcomes.json"
    outcomes = _known(kept)
    index = index_url()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the engine goes with it
    with tempfile.TemporaryDirectory(prefix="wherry-folders-") as root:
        os.environ["KUBECONFIG"] = f"{root}/kubeconfig"
        with Engine(Path(root), given.slot).up() as engine:
            for project in chosen:
                outcome = tried(project, engine, index, given.cache)
                outcomes = {**_known(kept), project.title: outcome}
                print(outcome.line, flush=True)
                kept.write_text(json.dumps({title: vars(one) for title, one in outcomes.items()}, indent=1))
    there = [outcomes[one.title] for one in projects if one.title in outcomes]
    if given.write:
        DOCUMENT.write_text(table(there, projects))
    good = sum(one.status == 200 for one in there)
    print(f"{good} of {len(there)} answer 200")
    return 0 if good >= given.least or given.names else 1


def _known(file: Path) -> dict[str, Outcome]:
    """What earlier runs have found: a run of some names keeps the rest of the table."""
    if not file.is_file():
        return {}
    return {title: Outcome(**values) for title, values in json.loads(file.read_text()).items()}


if __name__ == "__main__":
    sys.exit(main())
