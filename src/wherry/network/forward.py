"""Names of the outside, asked of the host's own resolvers: bounded in time, number and memory."""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from wherry.clock import Clock

log = logging.getLogger("wherry.network")

AT_ONCE = 256  # questions under way to the outside; more are refused, and the client asks again
REMEMBERED = 4096  # answers
LONGEST_MEMORY = 30.0  # seconds
ATTEMPT = 2.0  # seconds for one resolver's answer
LONGEST = 4.5  # seconds for all of them: a client's own patience is five


class NoAnswer(Exception):
    """No resolver of the host has answered; the message says which were asked."""


def nameservers(text: str, own: Collection[str]) -> tuple[str, ...]:
    """The resolvers of a resolv.conf, without those that are ourselves."""
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 2 or words[0] != "nameserver" or words[1] in own or words[1] in found:
            continue
        try:
            ip_address(words[1].partition("%")[0])
        except ValueError:
            continue
        found.append(words[1])
    return tuple(found)


@dataclass
class HostResolvers:
    """The host's resolv.conf, read again when it has changed (a laptop moves, a VPN comes up)."""

    path: Path
    own: frozenset[str]
    _stamp: tuple[int, int, int] | None = None
    _servers: tuple[str, ...] = ()

    def servers(self) -> tuple[str, ...]:
        try:
            stat = os.stat(self.path)
        except OSError:
            self._stamp = None
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if stamp != self._stamp:
            self._servers = nameservers(self.path.read_text("utf-8", errors="replace"), self.own)
            self._stamp = stamp
        return self._servers


@dataclass(frozen=True)
class _Kept:
    message: dns.message.Message
    since: float
    until: float


@dataclass
class Forwarder:
    """Answers of the resolvers that `servers` names, kept for at most half a minute."""

    servers: Callable[[], tuple[str, ...]]
    clock: Clock
    port: int = 53
    _kept: "OrderedDict[tuple[str, int, int, bool], _Kept]" = field(default_factory=OrderedDict)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ask(self, query: dns.message.Message) -> dns.message.Message:
        """The answer to the one question of `query`. Raises NoAnswer. What it returns is shared: do not edit it."""
        question = query.question[0]
        wants_dnssec = bool(query.ednsflags & dns.flags.DO)
        key = (question.name.to_text().lower(), int(question.rdtype), int(question.rdclass), wants_dnssec)
        now = self.clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept.until > now:
            self._kept.move_to_end(key)
            return _aged(kept.message, int(now - kept.since))
        if self._free.locked():
            raise NoAnswer(f"{AT_ONCE} questions are under way already")
        async with self._free:
            answer = await self._ask_all(query)
        if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            self._keep(key, answer)
        return answer

    def _keep(self, key: tuple[str, int, int, bool], answer: dns.message.Message) -> None:
        lifetimes = [each.ttl for section in (answer.answer, answer.authority) for each in section]
        if not lifetimes:  # nothing says for how long "no" holds
            return
        now = self.clock.monotonic()
        self._kept[key] = _Kept(answer, now, now + min(LONGEST_MEMORY, *lifetimes))
        self._kept.move_to_end(key)
        while len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    async def _ask_all(self, query: dns.message.Message) -> dns.message.Message:
        """The first good answer, the resolvers asked in their order, and all a second time."""
        servers = self.servers()
        last: dns.message.Message | None = None
        try:
            async with asyncio.timeout(LONGEST):
                for server in (*servers, *servers):
                    answer = await self._ask_one(server, query)
                    if answer is not None and answer.rcode() not in (dns.rcode.SERVFAIL, dns.rcode.REFUSED):
                        return answer
                    last = answer or last
        except TimeoutError:
            pass
        if last is not None:
            return last
        raise NoAnswer(
            f"no answer from {', '.join(servers)}" if servers else "the host's resolv.conf names no resolver"
        )

    async def _ask_one(self, server: str, query: dns.message.Message) -> dns.message.Message | None:
        fresh = dns.message.make_query(
            query.question[0].name,
            query.question[0].rdtype,
            query.question[0].rdclass,
            use_edns=0,
            payload=1232,
            want_dnssec=bool(query.ednsflags & dns.flags.DO),
        )
        try:
            async with asyncio.timeout(ATTEMPT):
                answer = await _by_udp(server, self.port, fresh)
                if answer.flags & dns.flags.TC:
                    answer = await _by_tcp(server, self.port, fresh)
                return answer
        except (TimeoutError, OSError, EOFError, dns.exception.DNSException) as error:
            log.debug("resolver %s: %s", server, error or type(error).__name__)
            return None


def _aged(message: dns.message.Message, seconds: int) -> dns.message.Message:
    """A copy whose records live `seconds` less."""
    copy = dns.message.from_wire(message.to_wire())
    for section in (copy.answer, copy.authority, copy.additional):
        for each in section:
            each.ttl = max(each.ttl - seconds, 0)
    return copy


class _Reply(asyncio.DatagramProtocol):
    """Waits on one connected socket for the answer to one query; anything else that comes is not it."""

    def __init__(self, query: dns.message.Message) -> None:
        self._query = query
        self.answer: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            message = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
        except dns.exception.DNSException:
            return
        if self._query.is_response(message) and not self.answer.done():
            self.answer.set_result(message)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _by_udp(server: str, port: int, query: dns.message.Message) -> dns.message.Message:
    loop = asyncio.get_running_loop()
    transport, reply = await loop.create_datagram_endpoint(lambda: _Reply(query), remote_addr=(server, port))
    try:
        transport.sendto(query.to_wire())
        return await reply.answer
    finally:
        reply.answer.cancel()
        transport.close()


async def _by_tcp(server: str, port: int, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(query.to_wire(prepend_length=True))
        size = int.from_bytes(await reader.readexactly(2), "big")
        message = dns.message.from_wire(await reader.readexactly(size))
    finally:
        writer.close()
    if not query.is_response(message):
        raise OSError("the answer is to another question")
    return message
