"""Streams between a client and the node's stream server: translated, tunnelled, joined, ended; nothing is left over."""

import asyncio

import orjson
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.unit.apiserver.http.stream_node import ACCEPT, Session, api
from wherry.apiserver.http.streams import spdy
from wherry.apiserver.http.streams.lifetime import Lifetimes

V5 = "v5.channel.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
EXEC = "exec?stdin=true&stdout=true&stderr=true&command=sh"
SUCCESS = b'{"metadata":{},"status":"Success"}'


async def messages(socket: ClientWebSocketResponse) -> list[bytes]:
    """All that comes until the end."""
    return [message.data async for message in socket if message.type is WSMsgType.BINARY]


async def idle(session: Session) -> None:
    """Take the streams of an exec and do nothing until the connection ends."""
    await session.accept()
    await session.streams(4)
    while await session.reader.read(65536):
        pass


async def cat(session: Session) -> None:
    """`cat`: copies stdin to stdout until stdin is closed, then says so on stderr and exits with 3."""
    await session.accept()
    await session.streams(4)
    while not (frame := await session.frame()).fin:
        assert frame.stream == session.ids[1]
        session.send(2, frame.payload)
    session.send(3, b"bye")
    session.finish(1, 2, 3)
    session.send(0, b'{"status":"Failure","reason":"NonZeroExitCode"}')
    session.finish(0)


async def test_a_command_gets_stdin_and_its_end_and_tells_its_exit_code() -> None:
    async with api(cat) as server:
        socket = await server.websocket(EXEC, V5)
        assert await socket.receive_bytes() == b"\x01"  # the session is there
        await socket.send_bytes(b"\x00hello")
        assert await socket.receive_bytes() == b"\x01hello"
        await socket.send_bytes(b"\xff\x00")
        status = b'\x03{"status":"Failure","reason":"NonZeroExitCode"}'
        assert await messages(socket) == [b"\x02bye", status]
        assert socket.close_code == 1000
    assert "X-Stream-Protocol-Version: v5.channel.k8s.io" in server.node.heads[0]


async def test_a_long_stdin_comes_back_whole() -> None:
    blob = bytes(range(256)) * 8192
    async with api(cat) as server:
        socket = await server.websocket(EXEC, V5)
        await socket.send_bytes(b"\x00" + blob)
        await socket.send_bytes(b"\xff\x00")
        got = await messages(socket)
    assert b"".join(message[1:] for message in got if message[0] == 1) == blob


async def test_a_command_that_says_nothing_of_itself_has_succeeded() -> None:
    async def quiet(session: Session) -> None:
        await session.accept()
        await session.streams(2)
        session.finish(1, 0)

    async with api(quiet) as server:
        assert await messages(await server.websocket("exec?stdout=1&command=true", V5)) == [b"\x01", b"\x03" + SUCCESS]


async def test_the_size_of_a_terminal_is_passed_on() -> None:
    sizes: list[bytes] = []

    async def shell(session: Session) -> None:
        await session.accept()
        await session.streams(4)  # error, stdin, stdout, resize: a terminal has no stderr
        sizes.append((await session.frame()).payload)
        session.finish(2, 0)

    async with api(shell) as server:
        socket = await server.websocket(EXEC + "&tty=true", V5)
        await socket.send_bytes(b'\x04{"Width":80,"Height":24}')
        await messages(socket)
    assert sizes == [b'{"Width":80,"Height":24}']


async def test_pings_and_windows_of_the_runtime_disturb_nothing() -> None:
    async def chatty(session: Session) -> None:
        await session.accept()
        await session.streams(2)
        session.writer.write(b"\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01" + spdy.ping(2))
        assert await session.frame() == spdy.Frame(spdy.PING, 2)
        session.send(1, b"pong")
        session.finish(1, 0)

    async with api(chatty) as server:
        got = await messages(await server.websocket("exec?stdout=1&command=true", V5))
    assert got == [b"\x01", b"\x01pong", b"\x03" + SUCCESS]


async def test_a_runtime_that_dies_is_told_as_a_status() -> None:
    async def dying(session: Session) -> None:
        await session.accept()
        await session.streams(4)

    async with api(dying) as server:
        got = await messages(await server.websocket(EXEC, V5))
    status = orjson.loads(got[-1][1:])
    assert (got[-1][0], status["code"]) == (3, 500)
    assert status["message"] == "the connection to the container was lost before its command ended"


async def test_a_client_that_goes_away_ends_the_session() -> None:
    async with api(idle) as server:
        socket = await server.websocket(EXEC, V5)
        await socket.receive_bytes()
        await socket.close()
        async with asyncio.timeout(5):
            await server.node.gone.wait()


async def test_the_stop_of_the_server_is_told_as_a_status() -> None:
    async with api(idle) as server:
        socket = await server.websocket(EXEC, V5)
        await socket.receive_bytes()
        server.streams.stop()
        got = await messages(socket)
        async with asyncio.timeout(5):
            await server.node.gone.wait()
    assert orjson.loads(got[-1][1:])["message"] == "the server is stopping: connect again when it is back"


async def test_a_tunnel_carries_bytes_both_ways_and_ends_with_either_side() -> None:
    async def echo(session: Session) -> None:
        await session.accept("portforward.k8s.io")
        while data := await session.reader.read(65536):
            session.writer.write(data)
            if data.endswith(b"."):
                return

    async with api(echo) as server:
        socket = await server.websocket("portforward", TUNNEL)
        assert socket.protocol == TUNNEL
        await socket.send_bytes(b"one ")
        assert await socket.receive_bytes() == b"one "
        await socket.send_bytes(b"two.")
        assert b"".join(await messages(socket)) == b"two."
        other = await server.websocket("portforward", TUNNEL)
        server.node.gone.clear()
        await other.close()
        async with asyncio.timeout(5):
            await server.node.gone.wait()
    assert "X-Stream-Protocol-Version: portforward.k8s.io" in server.node.heads[0]


REQUEST = "POST /exec?command=sh&stdout=1 HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: SPDY/3.1\n"


async def test_spdy_is_joined_byte_for_byte_without_credentials() -> None:
    async def echo(session: Session) -> None:
        await session.accept()
        while data := await session.reader.read(65536):
            session.writer.write(data)
            await session.writer.drain()

    blob = bytes(range(256)) * 16384
    async with api(echo) as server:
        reader, writer = await server.raw(REQUEST + "X-Stream-Protocol-Version: v4\nAuthorization: Bearer secret\n\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(ACCEPT)
        sending = asyncio.ensure_future(_send(writer, blob))
        async with asyncio.timeout(10):
            assert await reader.readexactly(len(blob)) == blob
        await sending
        writer.close()
        async with asyncio.timeout(5):
            await server.node.gone.wait()
    assert "X-Stream-Protocol-Version: v4" in server.node.heads[0]
    assert "secret" not in server.node.heads[0]


async def _send(writer: asyncio.StreamWriter, blob: bytes) -> None:
    writer.write(blob)
    await writer.drain()


async def test_a_joined_client_sees_the_end_and_the_stop() -> None:
    async def short(session: Session) -> None:
        session.writer.write(ACCEPT + b"\r\nbye")

    async def long(session: Session) -> None:
        session.writer.write(ACCEPT + b"\r\n")
        await session.reader.read()

    async with api(short) as server:
        reader, writer = await server.raw(REQUEST + "\n")
        assert (await reader.read()).endswith(b"\r\n\r\nbye")
        writer.close()
    async with api(long) as server:
        reader, writer = await server.raw(REQUEST + "\n")
        await reader.readuntil(b"\r\n\r\n")
        server.streams.stop()
        told = await reader.read()
        frame = spdy.decode(told[:8], told[8:])
        assert (frame.kind, frame.stream, frame.fin) == (spdy.DATA, 1, True)  # a remote command's error stream
        assert orjson.loads(frame.payload)["message"] == "the server is stopping: connect again when it is back"
        writer.close()


async def test_nothing_is_said_within_a_frame_that_is_half_sent() -> None:
    half = spdy.data(3, b"hello")[:-1]

    async def halfway(session: Session) -> None:
        session.writer.write(ACCEPT + b"\r\n" + half)
        await session.reader.read()

    async with api(halfway) as server:
        reader, writer = await server.raw(REQUEST + "\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(half)) == half
        server.streams.stop()
        assert await reader.read() == b""
        writer.close()


async def test_an_older_websocket_is_joined_without_its_token() -> None:
    async def accepting(session: Session) -> None:
        session.writer.write(ACCEPT.replace(b"SPDY/3.1", b"websocket") + b"\r\n")

    headers = "GET /exec?command=sh&stdout=1 HTTP/1.1\nHost: a\nConnection: keep-alive, Upgrade\nUpgrade: websocket\n"
    headers += "Sec-WebSocket-Key: x\nSec-WebSocket-Version: 13\n"
    offered = "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io\n\n"
    async with api(accepting) as server:
        reader, writer = await server.raw(headers + offered)
        await reader.read()
        writer.close()
    assert "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n" in server.node.heads[0]
    assert "c2VjcmV0" not in server.node.heads[0]


async def test_what_the_runtime_refuses_is_answered_as_it_says() -> None:
    async def refusing(session: Session) -> None:
        session.writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno session")

    async with api(refusing) as server:
        for what, protocol, code in ((EXEC, "v4.channel.k8s.io", 404), (EXEC, V5, 500), ("portforward", TUNNEL, 404)):
            with pytest.raises(WSServerHandshakeError) as refused:
                await server.websocket(what, protocol)
            assert refused.value.status == code


@pytest.mark.parametrize(
    ("method", "what", "code", "message"),
    [
        ("GET", EXEC, 400, "Upgrade request required"),
        ("DELETE", EXEC, 405, "the server does not allow this method on the requested resource"),
        ("POST", "log", 405, "the server does not allow this method on the requested resource"),
        ("GET", "log?tailLines=x", 400, 'tailLines: strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
async def test_what_is_no_stream_is_refused(method: str, what: str, code: int, message: str) -> None:
    async with api(idle) as server:
        answer = await server.client.request(method, f"http://127.0.0.1:{server.port}/{what}")
        assert answer.status == code
        assert (await answer.json())["message"] == message


async def test_a_stream_beyond_the_bound_is_refused() -> None:
    async with api(idle, Lifetimes(most=1)) as server:
        socket = await server.websocket(EXEC, V5)
        with pytest.raises(WSServerHandshakeError) as refused:
            await server.websocket(EXEC, V5)
        assert refused.value.status == 429
        await socket.close()


async def test_a_log_is_sent_and_its_end_is_the_end() -> None:
    async with api(idle, lines=[b"one\n", b"two\n"]) as server:
        async with server.client.get(f"http://127.0.0.1:{server.port}/log") as answer:
            assert (answer.content_type, await answer.read()) == ("text/plain", b"one\ntwo\n")
        async with server.client.get(f"http://127.0.0.1:{server.port}/log") as again:  # on the same connection
            assert await again.read() == b"one\ntwo\n"


async def test_a_quiet_log_ends_when_its_reader_goes_away() -> None:
    async with api(idle, lines=[b"one\n"]) as server:
        reader, writer = await server.raw("GET /log?follow=true HTTP/1.1\nHost: a\n\n")
        await reader.readuntil(b"one\n")
        writer.close()
        async with asyncio.timeout(5):
            await server.node.gone.wait()


async def test_a_followed_log_is_cut_short_by_the_stop() -> None:
    async with api(idle, lines=[b"one\n"]) as server:
        reader, writer = await server.raw("GET /log?follow=true HTTP/1.1\nHost: a\n\n")
        await reader.readuntil(b"one\n\r\n")
        server.streams.stop()
        assert await reader.read() == b""  # not the "0" that ends an answer that is whole
        writer.close()
