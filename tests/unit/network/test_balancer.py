"""Addresses of LoadBalancer Services, and HAProxy's configuration."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.unit.network.objects import endpoint, service, slice_of
from wherry.network.balancer import (
    Frontend,
    Key,
    Place,
    assign,
    detours,
    expose,
    frontends,
    is_http,
    orders,
    render,
    seat,
    seats,
    shape,
)
from wherry.network.haproxy import HAProxy, can_listen
from wherry.network.ruleset import Endpoint
from wherry.objects import Obj

KEY = Key("default", "web-app")
POOL = "127.80.0.0/16"


def address(places: dict[Key, Place]) -> str:
    return places[KEY].address


def test_the_host_s_own_address_unless_the_port_is_taken_and_the_old_one_stays() -> None:
    balanced = [service(type="LoadBalancer")]
    assert assign(balanced, {}, POOL, lambda address, port: True) == {KEY: Place("127.0.0.1", {80: 80})}
    moved = address(assign(balanced, {}, POOL, lambda address, port: address != "127.0.0.1"))
    assert moved.startswith("127.80.")
    assert address(assign(balanced, {KEY: moved}, POOL, lambda address, port: True)) == moved
    assert assign(balanced, {}, POOL, lambda address, port: False) == {}


def test_a_port_held_on_all_addresses_is_reached_by_a_detour() -> None:
    places = assign([service(type="LoadBalancer")], {}, POOL, lambda address, port: port != 80)
    place = places[KEY]
    assert place.address.startswith("127.80.")
    assert detours(places) == {Endpoint(place.address, 80): Endpoint(place.address, place.listens[80])}
    assert place.listens[80] != 80


def test_an_exposed_address_is_given_once_per_port_and_only_where_it_is_free() -> None:
    both = [service(type="LoadBalancer"), service("zoo", type="LoadBalancer")]
    places = assign(both, {}, POOL, lambda address, port: True)
    assert expose(both, places, "192.0.2.1", lambda address, port: True) == {KEY: "192.0.2.1"}
    assert expose(both, places, "192.0.2.1", lambda address, port: False) == {}
    assert expose(both, places, "", lambda address, port: True) == {}


def test_the_port_of_a_detour_is_another_one() -> None:
    for port in (1, 53, 20000, 45000, 65535):
        ports = [{"port": port, "protocol": "UDP"}, {"port": port, "protocol": "TCP"}]
        place = assign([service(type="LoadBalancer", ports=ports)], {}, POOL, lambda *at: True)[KEY]
        assert place.listens[port] not in (port, 0)
        assert place.listens[port] < 65536


UDP = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]


def test_with_udp_the_address_is_one_of_the_pool_and_tcp_gets_there_by_a_detour() -> None:
    balanced = [service(type="LoadBalancer", ports=UDP)]
    place = assign(balanced, {KEY: "127.0.0.1"}, POOL, lambda address, port: True)[KEY]
    assert place.address.startswith("127.80.")
    assert place.listens.keys() == {53}
    assert place.listens[53] != 53
    moved = assign(balanced, {}, POOL, lambda *at: True, lambda address, port: address != place.address)[KEY]
    assert moved.address not in (place.address, "127.0.0.1")
    assert assign(balanced, {}, POOL, lambda *at: True, lambda *at: False) == {}


def test_an_exposed_address_needs_its_udp_ports_free_too() -> None:
    balanced = [service(type="LoadBalancer", ports=UDP)]
    places = assign(balanced, {}, POOL, lambda *at: True)
    assert expose(balanced, places, "192.0.2.1", lambda *at: True) == {KEY: "192.0.2.1"}
    assert expose(balanced, places, "192.0.2.1", lambda *at: True, lambda *at: False) == {}


def test_clients_of_an_address_with_udp_come_from_the_gateway_and_are_allowed() -> None:
    spec: dict[str, Any] = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]}

    def sources(balanced: Obj) -> tuple[str, ...]:
        (front,) = frontends([balanced], [], {KEY: Place("127.80.9.9", {53: 53, 80: 80})}, {}, gateway="10.85.0.1")
        return front.sources

    assert sources(service(**spec, ports=UDP)) == ("192.0.2.0/24", "10.85.0.1")
    assert sources(service(**spec)) == ("192.0.2.0/24",)


def test_two_services_never_share_a_port() -> None:
    both = [service(type="LoadBalancer"), service("other", type="LoadBalancer")]
    assert len({place.address for place in assign(both, {}, POOL, lambda address, port: True).values()}) == 2


def test_http_by_app_protocol_then_name_then_number() -> None:
    assert is_http({"port": 80})
    assert is_http({"port": 81, "name": "http-api"})
    assert not is_http({"port": 80, "appProtocol": "mysql"})
    assert not is_http({"port": 443, "name": "https"})


def fronts(*addresses: str, address: str = "127.80.9.9", port: int = 80) -> tuple[Frontend, ...]:
    balanced = [service(type="LoadBalancer", ports=[{"name": "http", "port": port, "protocol": "TCP"}])]
    slices = [slice_of("web-app", *map(endpoint, addresses))]
    return frontends(balanced, slices, {KEY: Place(address, {port: port})}, {}, gateway="10.85.0.1")


def test_who_has_a_seat_keeps_it_and_the_one_just_left_is_taken_last() -> None:
    name = fronts()[0].name
    first = seat(fronts("10.0.0.1", "10.0.0.2"), {})
    assert [each.address if each else "" for each in first[name]] == ["10.0.0.1", "10.0.0.2", *[""] * 6]
    second = seat(fronts("10.0.0.2", "10.0.0.3"), first)
    assert [each.address if each else "" for each in second[name][:3]] == ["", "10.0.0.2", "10.0.0.3"]
    assert len(seat(fronts(*(f"10.0.1.{number}" for number in range(9))), second)[name]) == 32


def test_a_configuration_is_read_back_and_told_apart_by_its_ports_only() -> None:
    seated = seat(fronts("10.0.0.1"), {})
    config = render(fronts("10.0.0.1"), seated, Path("/nowhere"))
    assert seats(config) == seated
    other = seat(fronts("10.0.0.2"), seated)
    assert shape(render(fronts("10.0.0.2"), other, Path("/nowhere"))) == shape(config)
    assert shape(render(fronts("10.0.0.1", port=81), seat(fronts(port=81), {}), Path("/nowhere"))) != shape(config)
    name = fronts()[0].name
    assert orders(seated, other) == [
        f"set server {name}/s1 state maint",
        f"set server {name}/s2 addr 10.0.0.2 port 8080",
        f"set server {name}/s2 state ready",
    ]


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


async def ask(address: str, port: int) -> bytes:
    """The answer's first line."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


@pytest.mark.root
async def test_haproxy_is_told_of_endpoints_without_a_reload_and_adopted_and_ends(tmp_path: Path) -> None:
    at, port = "127.80.9.9", free_port("127.80.9.9")

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 204 No Content\r\n\r\n")
        writer.close()

    # All pods of these tests listen at port 8080.
    server = await asyncio.start_server(backend, "127.80.9.10", 8080)
    first = HAProxy(tmp_path)
    try:
        await first.apply(fronts(address=at, port=port))
        pid, worker = first.pid(), await first.worker()
        assert pid
        assert await first.held() == {(at, port): fronts(port=port)[0].name}
        assert (await ask(at, port)).startswith(b"HTTP/1.1 503")  # nobody listens behind it
        again = HAProxy(tmp_path)
        await again.apply(fronts("127.80.9.10", address=at, port=port))
        assert (await ask(at, port)).split()[1] == b"204"
        await again.apply(fronts("127.80.9.11", address=at, port=port))
        assert (await ask(at, port)).startswith(b"HTTP/1.1 503")
        assert (again.pid(), await again.worker()) == (pid, worker)
    finally:
        await first.stop()
        server.close()
        await server.wait_closed()
    assert not first.pid()


async def test_one_that_ended_a_moment_ago_is_no_failure_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    haproxy = HAProxy(tmp_path)
    (tmp_path / "haproxy.cfg").write_text("")
    monkeypatch.setattr(haproxy, "pid", lambda: ended.pid)
    await haproxy.stop()
    assert os.listdir(tmp_path) == []


@pytest.mark.root
async def test_the_end_of_haproxy_is_told_at_once_and_its_ports_are_free_then(tmp_path: Path) -> None:
    at, port = "127.80.9.7", free_port("127.80.9.7")
    haproxy, ended = HAProxy(tmp_path), asyncio.Event()
    try:
        await haproxy.apply(fronts(address=at, port=port))
        haproxy.on_end(ended.set)
        os.kill(haproxy.pid(), signal.SIGKILL)
        await asyncio.wait_for(ended.wait(), 5)
        assert await haproxy.held() == {}
        assert can_listen(at, port)
        await haproxy.apply(fronts(address=at, port=port))
        assert (await ask(at, port)).startswith(b"HTTP/1.1 503")
    finally:
        await haproxy.stop()


@pytest.mark.root
async def test_a_reload_never_looks_like_an_end(tmp_path: Path) -> None:
    """Else the next change would start a second HAProxy beside the first, and nobody would end that one."""
    at = "127.80.9.8"
    haproxy = HAProxy(tmp_path)
    try:
        await haproxy.apply(fronts(address=at, port=free_port(at)))
        pid = haproxy.pid()
        for _ in range(3):
            reload = asyncio.ensure_future(haproxy.apply(fronts(address=at, port=free_port(at))))
            while not reload.done():
                assert haproxy.pid() == pid
                await asyncio.sleep(0)
            await reload
            assert HAProxy(tmp_path).pid() == pid  # one who knows only the files finds it too
    finally:
        await haproxy.stop()
