"""Lines of many containers: merged by time, taken apart from bytes however they come."""

from collections.abc import AsyncGenerator

from wherry.objects import Obj
from wherry.objects.errors import BadRequest
from wherry.replicas.log_streams import Source, Wanted, lines, past, sources

ONE, TWO, NONE = (Source(name, "c", name, 0) for name in ("one", "two", "none"))


class Server:
    """Gives each pod's log in the pieces it was given; a pod without one is refused, as by the API."""

    def __init__(self, **logs: list[bytes]) -> None:
        self.given = logs
        self.asked: list[dict[str, str | int | bool]] = []

    async def logs(self, namespace: str, pod: str, **options: str | int | bool) -> AsyncGenerator[bytes]:
        self.asked.append(options)
        if pod not in self.given:
            raise BadRequest("previous terminated container not found")
        for piece in self.given[pod]:
            yield piece


async def test_replicas_are_merged_by_time_and_who_has_nothing_is_passed_over() -> None:
    server = Server(one=[b"T1 a\nT4 b\n"], two=[b"T2 c\nT3 d\n"])
    found = [(line.source.pod, line.text) async for line in past(server, "default", [ONE, NONE, TWO], Wanted())]
    assert found == [("one", b"a"), ("two", b"c"), ("two", b"d"), ("one", b"b")]


async def test_lines_survive_any_cut_and_a_missing_end() -> None:
    server = Server(one=[b"T1 a", b"b\nT", b"2 \n", b"T3 last"])
    assert [(line.time, line.text) async for line in lines(server, "default", ONE, Wanted())] == [
        ("T1", b"ab"),
        ("T2", b""),
        ("T3", b"last"),
    ]


async def test_what_is_wanted_is_asked_of_the_server() -> None:
    server = Server(one=[])
    wanted = Wanted(previous=True, tail=0, since="2030-01-01T00:00:00+00:00")
    assert [line async for line in lines(server, "default", ONE, wanted, follow=True)] == []
    assert server.asked == [
        {
            "container": "c",
            "timestamps": True,
            "follow": True,
            "previous": True,
            "tailLines": 0,
            "sinceTime": "2030-01-01T00:00:00+00:00",
        }
    ]


def test_only_containers_that_have_run_are_sources() -> None:
    statuses = [
        {"name": "c", "state": {"running": {}}, "restartCount": 2},
        {"name": "d", "state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0},
    ]
    pod: Obj = {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "c"}, {"name": "d"}]},
        "status": {
            "containerStatuses": statuses,
            "initContainerStatuses": [{"name": "i", "state": {"terminated": {}}}],
        },
    }
    assert sources([pod], Wanted()) == [Source("p", "c", "u", 2)]
    assert sources([pod], Wanted(every=True)) == [Source("p", "i", "u", 0), Source("p", "c", "u", 2)]
    assert sources([pod], Wanted(container="d")) == []
