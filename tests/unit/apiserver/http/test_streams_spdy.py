"""SPDY/3.1 as bytes: what is sent can be read by the protocol's own rules, and what nobody sends is refused."""

import struct
import zlib

import pytest

from wherry.apiserver.http.streams import spdy


def test_the_header_dictionary_is_the_protocols() -> None:
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_header_blocks_of_one_connection_continue_each_other() -> None:
    compressor, inflate = spdy.Compressor(), zlib.decompressobj(zdict=spdy.DICTIONARY)
    for number, name in ((1, "error"), (3, "stdin"), (5, "stdout")):
        raw = spdy.syn_stream(number, {"streamType": name}, compressor)
        frame = spdy.decode(raw[:8], raw[8:])
        assert (frame.kind, frame.stream, frame.fin) == (spdy.SYN_STREAM, number, False)
        assert spdy.length_of(raw[:8]) == len(raw) - 8
        block = inflate.decompress(frame.payload[6:])  # after the associated stream and the priority
        assert block == struct.pack(">II", 1, 10) + b"streamtype" + struct.pack(">I", len(name)) + name.encode()


@pytest.mark.parametrize(
    ("raw", "frame"),
    [
        (spdy.data(3, b"hello"), spdy.Frame(spdy.DATA, 3, False, b"hello")),
        (spdy.data(3, fin=True), spdy.Frame(spdy.DATA, 3, True, b"")),
        (spdy.ping(0x80000002), spdy.Frame(spdy.PING, 0x80000002, False, b"")),
        (spdy.goaway(7), spdy.Frame(spdy.GOAWAY, 7, False, b"\0\0\0\0")),
        (spdy.rst_stream(5, spdy.CANCEL), spdy.Frame(spdy.RST_STREAM, 5, False, b"\0\0\0\5")),
        (b"\x80\x03\x00\x04\x00\x00\x00\x00", spdy.Frame(spdy.SETTINGS, 0)),
    ],
)
def test_frames_are_read_as_they_were_written(raw: bytes, frame: spdy.Frame) -> None:
    assert spdy.length_of(raw[:8]) == len(raw) - 8
    assert spdy.decode(raw[:8], raw[8:]) == frame


def test_what_is_no_spdy_is_refused() -> None:
    with pytest.raises(spdy.ProtocolError, match="SPDY version 2 instead of 3"):
        spdy.decode(b"\x80\x02\x00\x01\x00\x00\x00\x00", b"")
    with pytest.raises(spdy.ProtocolError, match="without its stream"):
        spdy.decode(b"\x80\x03\x00\x02\x00\x00\x00\x01", b"x")
    with pytest.raises(spdy.ProtocolError, match="a SPDY frame of 16777215 bytes"):
        spdy.length_of(b"\x00\x00\x00\x01\x00\xff\xff\xff")


def test_the_edge_of_a_frame_is_seen_however_frames_are_cut() -> None:
    frames = [spdy.data(3, b"hello"), spdy.ping(2), spdy.data(3, fin=True)]
    whole, edges = b"".join(frames), {0, 13, 25, 33}
    for size in (1, 2, 3, 5, 7):
        edge, passed = spdy.Edge(), 0
        while passed < len(whole):
            edge.follow(whole[passed : passed + size])
            passed = min(passed + size, len(whole))
            assert edge.clean is (passed in edges)
