"""Addresses of LoadBalancer Services, and HAProxy's configuration."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.unit.network.objects import endpoint, service, slice_of
from wherry.network.balancer import Key, assign, bound, frontends, is_http, render
from wherry.network.haproxy import HAProxy

KEY = Key("default", "web-app")
POOL = "127.80.0.0/16"


def test_the_host_s_own_address_unless_the_port_is_taken_and_the_old_one_stays() -> None:
    balanced = [service(type="LoadBalancer")]
    assert assign(balanced, {}, POOL, lambda address, port: True) == {KEY: "127.0.0.1"}
    moved = assign(balanced, {}, POOL, lambda address, port: address != "127.0.0.1")
    assert moved[KEY].startswith("127.80.")
    assert assign(balanced, moved, POOL, lambda address, port: True) == moved
    assert assign(balanced, {}, POOL, lambda address, port: False) == {}


def test_two_services_never_share_a_port() -> None:
    both = [service(type="LoadBalancer"), service("other", type="LoadBalancer")]
    assert len(set(assign(both, {}, POOL, lambda address, port: True).values())) == 2


def test_http_by_app_protocol_then_name_then_number() -> None:
    assert is_http({"port": 80})
    assert is_http({"port": 81, "name": "http-api"})
    assert not is_http({"port": 80, "appProtocol": "mysql"})
    assert not is_http({"port": 443, "name": "https"})


@pytest.mark.root
async def test_haproxy_starts_reloads_is_adopted_and_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.80.9.9", 0)) as probe:
        port = probe.getsockname()[1]
    ports = [{"name": "http", "port": port, "protocol": "TCP"}]
    balanced = [service(type="LoadBalancer", ports=ports)]

    def config(*addresses: str) -> str:
        slices = [slice_of("web-app", *map(endpoint, addresses))]
        return render(frontends(balanced, slices, {KEY: "127.80.9.9"}), tmp_path / "haproxy.sock")

    first = HAProxy(tmp_path)
    try:
        await first.apply(config())
        pid = first.pid()
        assert pid
        assert first.held() == bound(config()) == {("127.80.9.9", port)}
        again = HAProxy(tmp_path)
        await again.apply(config("127.0.0.1"))
        assert again.pid() == pid
        reader, writer = await asyncio.open_connection("127.80.9.9", port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read(12)) == b"HTTP/1.1 503"  # nobody listens behind it
        writer.close()
        await writer.wait_closed()
    finally:
        await first.stop()
    assert not first.pid()


@pytest.mark.root
async def test_a_reload_never_looks_like_an_end(tmp_path: Path) -> None:
    """Else the next change would start a second HAProxy beside the first, and nobody would end that one."""
    with socket.create_server(("127.80.9.8", 0)) as probe:
        port = probe.getsockname()[1]
    balanced = [service(type="LoadBalancer", ports=[{"name": "http", "port": port, "protocol": "TCP"}])]

    def config(address: str) -> str:
        slices = [slice_of("web-app", endpoint(address))]
        return render(frontends(balanced, slices, {KEY: "127.80.9.8"}), tmp_path / "haproxy.sock")

    haproxy = HAProxy(tmp_path)
    try:
        await haproxy.apply(config("127.0.0.1"))
        pid = haproxy.pid()
        for number in range(2, 5):
            reload = asyncio.ensure_future(haproxy.apply(config(f"127.0.0.{number}")))
            while not reload.done():
                assert haproxy.pid() == pid
                await asyncio.sleep(0)
            await reload
            assert HAProxy(tmp_path).pid() == pid  # one who knows only the files finds it too
    finally:
        await haproxy.stop()
