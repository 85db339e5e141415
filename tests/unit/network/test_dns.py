"""The DNS server on a real socket, with a resolver of the outside beside it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import cast

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.unit.network.objects import endpoint, service, slice_of
from tests.unit.network.test_records import records
from wherry.clock import SystemClock
from wherry.network.dns import NameServer
from wherry.network.forward import Forwarder, HostResolvers, nameservers
from wherry.network.records import Records

LOOPBACK = IPv4Network("127.0.0.0/8")
AT = "127.80.9.53"


class Outside(asyncio.DatagramProtocol):
    """A resolver that answers every question with one address, by `speak`."""

    def __init__(self, speak: Callable[[dns.message.Message], dns.message.Message | None]) -> None:
        self.speak, self.asked = speak, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        answer = self.speak(dns.message.from_wire(data))
        if answer is not None:
            self.transport.sendto(answer.to_wire(), addr)


def says(address: str, *, ttl: int = 60) -> Callable[[dns.message.Message], dns.message.Message]:
    def speak(query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", "A", address))
        return reply

    return speak


def free_port() -> int:
    with socket.create_server((AT, 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def serving(
    known: Records, outside: Outside | None = None, clients: IPv4Network = LOOPBACK
) -> AsyncIterator[Callable[..., "asyncio.Future[dns.message.Message]"]]:
    """A function that asks the server (by UDP, or by TCP with tcp=True)."""
    upstream, port = free_port(), free_port()
    transport = None
    if outside is not None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: outside, local_addr=(AT, upstream)
        )
    forwarder = Forwarder(lambda: (AT,) if outside else (), SystemClock(), upstream)

    async def ask(name: str, type: str = "A", *, tcp: bool = False) -> dns.message.Message:
        call = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await call(dns.message.make_query(name, type), AT, timeout=5, port=port)

    try:
        async with NameServer(known, forwarder, clients).serve(AT, port):
            yield lambda *words, **options: asyncio.ensure_future(ask(*words, **options))
    finally:
        if transport is not None:
            transport.close()


async def test_answers_by_udp_and_tcp_with_authority() -> None:
    async with serving(records(service("web"))) as ask:
        for tcp in (False, True):
            reply = await ask("Web.Default.svc.cluster.local", tcp=tcp)
            assert reply.rcode() == dns.rcode.NOERROR
            assert [str(item) for item in reply.answer[0]] == ["10.96.0.10"]
            assert reply.answer[0].ttl == 5
            assert reply.flags & dns.flags.AA


async def test_no_name_and_no_data_come_with_the_soa() -> None:
    async with serving(records(service("web"))) as ask:
        missing, empty = await ask("x.default.svc.cluster.local"), await ask("web.default.svc.cluster.local", "AAAA")
        assert (missing.rcode(), empty.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
        for reply in (missing, empty):
            assert not reply.answer
            assert str(reply.authority[0].name) == "cluster.local."


async def test_each_answer_starts_with_another_endpoint() -> None:
    known = records(service("db", clusterIP="None"), slice_of("db", endpoint("10.85.0.2"), endpoint("10.85.0.3")))
    async with serving(known) as ask:
        first = {str((await ask("db.default.svc.cluster.local")).answer[0][0]) for _ in range(40)}
    assert first == {"10.85.0.2", "10.85.0.3"}


async def test_a_long_answer_is_cut_by_udp_and_whole_by_tcp() -> None:
    many = [endpoint(f"10.85.1.{number}") for number in range(1, 200)]
    async with serving(records(service("db", clusterIP="None"), slice_of("db", *many))) as ask:
        assert (await ask("db.default.svc.cluster.local")).flags & dns.flags.TC
        assert len((await ask("db.default.svc.cluster.local", tcp=True)).answer[0]) == 199


async def test_the_rest_is_asked_of_the_host_s_resolver_once() -> None:
    outside = Outside(says("192.0.2.7"))
    async with serving(records(), outside) as ask:
        for _ in range(3):
            reply = await ask("example.org")
            assert [str(item) for item in reply.answer[0]] == ["192.0.2.7"]
            assert not reply.flags & dns.flags.AA
    assert outside.asked == 1


async def test_an_alias_of_ours_is_followed_outside() -> None:
    known = records(service("out", type="ExternalName", clusterIP="", externalName="db.example.org"))
    async with serving(known, Outside(says("192.0.2.8"))) as ask:
        reply = await ask("out.default.svc.cluster.local")
    assert [str(each[0]) for each in reply.answer] == ["db.example.org.", "192.0.2.8"]


async def test_aliases_in_a_circle_end() -> None:
    known = records(
        service("a", type="ExternalName", clusterIP="", externalName="b.default.svc.cluster.local"),
        service("b", type="ExternalName", clusterIP="", externalName="a.default.svc.cluster.local"),
    )
    async with serving(known) as ask:
        assert (await ask("a.default.svc.cluster.local")).rcode() == dns.rcode.SERVFAIL


async def test_without_a_resolver_the_outside_fails_and_the_cluster_answers() -> None:
    async with serving(records(service("web"))) as ask:
        assert (await ask("example.org")).rcode() == dns.rcode.SERVFAIL
        assert (await ask("web.default.svc.cluster.local")).answer


async def test_strangers_are_refused() -> None:
    async with serving(records(service("web")), clients=IPv4Network("10.85.0.0/16")) as ask:
        reply = await ask("web.default.svc.cluster.local")
    assert (reply.rcode(), reply.answer) == (dns.rcode.REFUSED, [])


async def test_nonsense_gets_its_number_back_and_answers_get_nothing() -> None:
    server = NameServer(records(), Forwarder(tuple, SystemClock()), LOOPBACK)
    broken = b"\x12\x34\x01\x00" + b"\xff" * 8 + b"\xff\xff"
    answer = await server.answer_wire(broken, "127.0.0.1", most=0)
    assert answer is not None
    assert (answer[:2], answer[3] & 15) == (b"\x12\x34", dns.rcode.FORMERR)
    assert (
        await server.answer_wire(dns.message.make_response(dns.message.make_query("a.", "A")).to_wire(), AT, most=0)
        is None
    )


def test_resolv_conf_is_read_again_when_it_changes_and_never_names_ourselves(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    resolvers = HostResolvers(path, frozenset({"10.85.0.1"}))
    assert resolvers.servers() == ()
    path.write_text("nameserver 127.0.0.53\nnameserver 10.85.0.1\nsearch example.org\n")
    assert resolvers.servers() == ("127.0.0.53",)
    path.write_text("nameserver 192.0.2.1 # office\nnameserver nonsense\n")
    os.utime(path, ns=(1, 1))
    assert resolvers.servers() == ("192.0.2.1",)


def test_nameservers_keep_their_order_without_repeats() -> None:
    assert nameservers("nameserver 192.0.2.2\nnameserver fe80::1%eth0\nnameserver 192.0.2.2\n", ()) == (
        "192.0.2.2",
        "fe80::1%eth0",
    )
