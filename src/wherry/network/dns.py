"""The cluster's DNS server, in this process: speaks UDP and TCP, answers from `records`, passes the rest to `forward`.

Only pods and this host get answers; a question of anyone else is refused, as an open resolver serves attackers.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from wherry.network.forward import Forwarder, NoAnswer
from wherry.network.records import Answer, Record, Records

log = logging.getLogger("wherry.network")

TTL = 5  # seconds: an endpoint that is gone is forgotten soon
PAYLOAD = 1232  # bytes of a UDP answer that no path cuts into pieces
CONNECTIONS = 128
PATIENCE = 10.0  # seconds for a client's next question on one TCP connection
CHAIN = 8  # aliases that are followed
_HEADER = 12
_REFUSED_TYPES = frozenset({dns.rdatatype.AXFR, dns.rdatatype.IXFR, dns.rdatatype.ANY, dns.rdatatype.MAILB})


@dataclass
class NameServer:
    """Questions to answers; `serve` puts it on the wire."""

    records: Records
    forwarder: Forwarder
    clients: IPv4Network

    async def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Never raises: what goes wrong is the answer's code."""
        reply = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
        if query.opcode() != dns.opcode.QUERY:
            reply.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            reply.set_rcode(dns.rcode.FORMERR)
        elif query.question[0].rdtype in _REFUSED_TYPES or query.question[0].rdclass != dns.rdataclass.IN:
            reply.set_rcode(dns.rcode.REFUSED)
        else:
            await self._answer_question(query, reply)
        return reply

    async def _answer_question(self, query: dns.message.Message, reply: dns.message.Message) -> None:
        question = query.question[0]
        name, type = question.name, dns.rdatatype.to_text(question.rdtype)
        for _ in range(CHAIN):
            own = self.records.lookup(_plain(name), type)
            if own is None:
                await self._forward(query, name, reply)
                return
            self._add(reply, own)
            aliases = [record for record in own.records if record.type == "CNAME"]
            if not aliases or type == "CNAME":
                return
            name = dns.name.from_text(aliases[0].data)
        reply.set_rcode(dns.rcode.SERVFAIL)  # Services that name each other in a circle

    def _add(self, reply: dns.message.Message, own: Answer) -> None:
        if not reply.answer:
            reply.flags |= dns.flags.AA
        # On the wire they come in a new order each time: many clients take the first.
        reply.answer += _sets(own.records)
        reply.additional += _sets(own.additional)
        if not own.records:
            reply.set_rcode(dns.rcode.NOERROR if own.exists else dns.rcode.NXDOMAIN)
            reply.authority += _sets([self.records.soa(own.zone)])

    async def _forward(self, query: dns.message.Message, name: dns.name.Name, reply: dns.message.Message) -> None:
        """Fill in what the outside says of `name`, which is the question's or what an alias of ours leads to."""
        asked = query
        if name != query.question[0].name:
            asked = dns.message.make_query(name, query.question[0].rdtype)
        elif not query.flags & dns.flags.RD:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        try:
            theirs = await self.forwarder.ask(asked)
        except NoAnswer as error:
            log.info("DNS: %s: %s", name, error)
            reply.set_rcode(dns.rcode.SERVFAIL)
            return
        reply.set_rcode(theirs.rcode())
        reply.answer += theirs.answer
        reply.authority += theirs.authority
        reply.additional += theirs.additional

    async def answer_wire(self, wire: bytes, client: str, *, most: int) -> bytes | None:
        """The answer as bytes, at most `most` of them or (0) what the client says it takes; None for no answer at all.

        What cannot be understood is told so by its number; a packet that is itself an answer gets none, or two servers
        could keep each other busy for ever.
        """
        if len(wire) < _HEADER or wire[2] & 0x80:
            return None
        try:
            query = dns.message.from_wire(wire, ignore_trailing=True)
        except dns.exception.DNSException:
            return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)
        if IPv4Address(client) in self.clients:
            reply = await self.answer(query)
        else:
            reply = dns.message.make_response(query)
            reply.set_rcode(dns.rcode.REFUSED)
        limit = most or (max(512, min(query.payload, PAYLOAD)) if query.edns >= 0 else 512)
        return reply.to_wire(max_size=limit, prefer_truncation=True)

    @contextlib.asynccontextmanager
    async def serve(self, address: str, port: int) -> AsyncIterator[None]:
        """Answer there by UDP and TCP while the context is open."""
        loop = asyncio.get_running_loop()
        transport, datagrams = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(address, port))
        streams = _Streams(self)
        try:
            server = await asyncio.start_server(streams.talk, address, port, limit=1 << 16)
            try:
                yield
            finally:
                server.close()
                await streams.end()
        finally:
            transport.close()
            await datagrams.end()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) >= 2048:  # the client asks again
            return
        task = asyncio.create_task(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = await self._server.answer_wire(data, addr[0], most=0)
        if answer is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)

    async def end(self) -> None:
        await _end(self._tasks)


class _Streams:
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        try:
            if len(self._tasks) <= CONNECTIONS:
                await self._questions(reader, writer)
        except (OSError, EOFError, TimeoutError):
            pass  # the client's end of a conversation
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        while True:
            async with asyncio.timeout(PATIENCE):
                size = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(size)
            answer = await self._server.answer_wire(wire, client, most=65535)
            if answer is None:
                return
            writer.write(len(answer).to_bytes(2, "big") + answer)
            async with asyncio.timeout(PATIENCE):
                await writer.drain()

    async def end(self) -> None:
        await _end(self._tasks)


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    going = list(tasks)
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _sets(records: Iterable[Record]) -> list[dns.rrset.RRset]:
    """Records of one name and type stand together, in the order in which they come."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in records:
        groups.setdefault((record.name, record.type), []).append(record.data)
    return [
        dns.rrset.from_text(f"{name}.", TTL, dns.rdataclass.IN, type, *values)
        for (name, type), values in groups.items()
    ]
