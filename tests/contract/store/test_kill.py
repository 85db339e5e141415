"""kill -9 at any moment: what was acknowledged is there, revisions only grow, the feed has no gap and nothing twice."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import wherry

ROUNDS = 30
Line = list[str]


@dataclass
class Witness:
    """What the process said in all its lives."""

    last: dict[str, Line] = field(default_factory=dict)  # each key's last word: put, del or deleting
    acknowledged: dict[str, int] = field(default_factory=dict)
    highest: int = 0
    writes: int = 0

    def hear(self, lines: Iterable[Line]) -> None:
        """One life from its start to its end."""
        said = list(lines)
        ready = said.index(["ready"])
        opened = int(said[0][1])
        self._start(opened, {words[1]: words for words in said[1:ready]})
        self._life(opened, said[ready + 1 :])

    def _start(self, opened: int, found: dict[str, Line]) -> None:
        assert opened >= self.highest, "revisions went back"
        for key, (_, _, revision, value) in found.items():
            assert value.split(":")[:2] == [key.partition("/")[2], revision], "a value of another write"
            assert int(revision) >= self.acknowledged.get(key, 0), "an older state came back"
        lost = [key for key, words in self.last.items() if words[0] == "put" and key not in found]
        assert not lost, "acknowledged, and gone"
        self.last = {key: ["put", key] for key in found}

    def _life(self, opened: int, lines: list[Line]) -> None:
        seen = [int(words[1]) for words in lines if words[0] == "saw"]
        assert seen == list(range(opened + 1, opened + 1 + len(seen))), "the feed has a gap, or something twice"
        for words in lines:
            if words[0] != "saw" and words[1] != "memory":
                self.last[words[1]] = words
            if words[0] in ("put", "del"):
                revision = int(words[2])
                assert revision > opened, "a revision was given out again"
                self.acknowledged[words[1]] = revision
                self.writes += 1
        self.highest = max([self.highest, *seen, *self.acknowledged.values()])


def live(directory: Path, number: int, lines: int) -> list[Line]:
    """Start the process, kill it after it said so many lines, return all it said."""
    root = Path(__file__).parents[3]
    search = os.pathsep.join([str(Path(wherry.__file__).parents[1]), str(root)])
    command = [sys.executable, "-m", "tests.contract.store.busy_process", str(directory), str(number)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": search}
    ) as process:
        assert process.stdout is not None
        out, started = b"", False
        while lines:
            line = process.stdout.readline()
            assert line, "the process ended by itself"
            out += line
            started = started or line == b"ready\n"
            lines -= started
        process.kill()
        out += process.stdout.read()
    return [line.split(" ") for line in out.decode().splitlines()]


def test_killed_at_any_moment_it_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(11)
    witness = Witness()
    for number in range(ROUNDS):
        witness.hear(live(tmp_path, number, 1 + int(chance.random() ** 2 * 900)))
    assert witness.writes > 1000
