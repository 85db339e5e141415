"""SPDY/3.1 frames as bytes, as far as remote commands need them. Values in, values out; the connection is in `remote`.

A control frame is 0x8003, type, flags, 24 bits of length, payload; a data frame is a stream's id, flags, length, bytes.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
DATA = 0  # not a number of the protocol's: data frames have none
FIN = 1
REFUSED, CANCEL = 3, 5
HEAD = struct.Struct(">II")
LONGEST = 1 << 20
"""The longest frame taken; the runtime's own are 32 KiB."""
PIECE = 1 << 16

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


DICTIONARY = b"".join(_text(word.replace("_", " ").encode()) for word in _WORDS.split()) + _TAIL.encode()
"""What both sides' header compression starts from (its Adler-32 is 0xe3c6a7c2)."""


class Frame(NamedTuple):
    """A frame that came in. `stream` is the ping's id in a PING, the last good stream in a GOAWAY, else the stream."""

    kind: int
    stream: int
    fin: bool = False
    payload: bytes = b""


class ProtocolError(Exception):
    """The other side does not speak SPDY/3.1, or not as agreed."""


def length_of(head: bytes) -> int:
    """How many bytes follow these eight. Raises ProtocolError for frames that nobody sends."""
    length: int = HEAD.unpack(head)[1] & 0xFFFFFF
    if length > LONGEST:
        raise ProtocolError(f"a SPDY frame of {length} bytes; at most {LONGEST} are taken")
    return length


def decode(head: bytes, payload: bytes) -> Frame:
    """A frame of its first eight bytes and the rest. Header blocks stay packed: replies say nothing we need."""
    first, second = HEAD.unpack(head)
    fin = bool((second >> 24) & FIN)
    if not first >> 31:
        return Frame(DATA, first, fin, payload)
    version, kind = (first >> 16) & 0x7FFF, first & 0xFFFF
    if version != 3:
        raise ProtocolError(f"SPDY version {version} instead of 3")
    if kind not in (SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS, WINDOW_UPDATE):
        return Frame(kind, 0)
    if len(payload) < 4:
        raise ProtocolError(f"a SPDY frame of type {kind} without its stream")
    number: int = struct.unpack_from(">I", payload)[0]
    return Frame(kind, number if kind == PING else number & 0x7FFFFFFF, fin, payload[4:])


class Edge:
    """Follows frames that pass without looking into them, to know when none is half sent."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def clean(self) -> bool:
        """Whether a frame of our own may come next."""
        return not self._head and not self._left

    def follow(self, passed: bytes) -> None:
        while passed:
            if self._left:
                taken = min(self._left, len(passed))
                self._left -= taken
                passed = passed[taken:]
                continue
            missing = HEAD.size - len(self._head)
            self._head, passed = self._head + passed[:missing], passed[missing:]
            if len(self._head) == HEAD.size:
                self._left, self._head = HEAD.unpack(self._head)[1] & 0xFFFFFF, b""


class Compressor:
    """The header compression of one connection's one direction: each block continues the one before."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def block(self, headers: Mapping[str, str]) -> bytes:
        pairs = [_text(name.lower().encode()) + _text(value.encode()) for name, value in headers.items()]
        plain = struct.pack(">I", len(pairs)) + b"".join(pairs)
        return self._zlib.compress(plain) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


def syn_stream(stream: int, headers: Mapping[str, str], compressor: Compressor) -> bytes:
    return _control(SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + compressor.block(headers))


def data(stream: int, payload: bytes = b"", *, fin: bool = False) -> bytes:
    return HEAD.pack(stream, (FIN << 24 if fin else 0) | len(payload)) + payload


def rst_stream(stream: int, status: int) -> bytes:
    return _control(RST_STREAM, HEAD.pack(stream, status))


def ping(number: int) -> bytes:
    return _control(PING, struct.pack(">I", number))


def goaway(last: int = 0) -> bytes:
    return _control(GOAWAY, HEAD.pack(last, 0))


def _control(kind: int, payload: bytes) -> bytes:
    return HEAD.pack(0x80030000 | kind, len(payload)) + payload
