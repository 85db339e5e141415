"""The table of real folders counts what it says."""

from bench.folders.run import Outcome, Project
from bench.folders.table import table

PROJECTS = [
    Project("a-1.tar.gz", ""),
    Project("b-1.tar.gz", "", start=("b", "--port=1"), why="which file"),
    Project("c-1.tar.gz", "", cause="needs Redis"),
]


def test_what_was_said_and_what_failed_is_told_apart() -> None:
    outcomes = [
        Outcome("a-1", "gunicorn a:app", 200, 3.4),
        Outcome("b-1", "b --port=1", 200, 5, given=PROJECTS[1].given),
        Outcome("c-1", "gunicorn c:app", 503, 9, "HTTP 503"),
    ]
    text = table(outcomes, PROJECTS)
    assert "**2 of 3 answer 200**" in text
    assert "| a-1 | `gunicorn a:app` | 200 | 3 |" in text
    assert "| b-1 | `b --port=1` | command: which file | 5 |" in text
    assert "| c-1 | `gunicorn c:app` | 503 | needs Redis: HTTP 503 |" in text
