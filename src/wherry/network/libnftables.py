"""libnftables, the library that `nft` is a shell of: transactions without a process for each (ADR 23).

The package of `nft` brings it. A process of nft ends only when its socket to the kernel is closed, and that waits until
the kernel has freed what the transaction took away: 20 ms and more in which the rules hold and nobody is told.
"""

import contextlib
import ctypes
import os
import socket
import threading
from types import TracebackType
from typing import Self

from wherry.process import ProgramError

_NAME = "libnftables.so.1"
_NETFILTER = 12  # NETLINK_NETFILTER
_SAID = 2000  # characters of its words that an error quotes


class Nftables:
    """One conversation with the kernel, in the network namespace of who begins it; `with`, or `close` at the end."""

    def __init__(self) -> None:
        """Raises ProgramError where the library is not installed."""
        try:
            self._library = ctypes.CDLL(_NAME)
        except OSError as error:
            raise ProgramError(f"{_NAME}: not found: install the package nftables") from error
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        self._declare("nft_ctx_new", [ctypes.c_uint32], pointer)
        self._declare("nft_ctx_buffer_error", [pointer], ctypes.c_int)
        self._declare("nft_run_cmd_from_buffer", [pointer, text], ctypes.c_int)
        self._declare("nft_ctx_get_error_buffer", [pointer], text)
        self._declare("nft_ctx_free", [pointer], None)
        self._turn, self._open = threading.Lock(), True
        self._context: int | None = self._begun()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._turn:
            self._open = False
            self._end()

    def run(self, transaction: str) -> None:
        """Carry it out, all or nothing; the rules hold when this returns. Blocking. Raises ProgramError with its words.

        `transaction` is what `nft -f` takes.
        """
        with self._turn:
            if not self._open:
                raise ProgramError(f"{_NAME}: the conversation is over")
            self._context = self._context or self._begun()
            if self._library.nft_run_cmd_from_buffer(self._context, transaction.encode()):
                said: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
                words = said.decode(errors="replace").strip()[-_SAID:]
                self._end()  # what the kernel still says to this one is not for the next
                raise ProgramError(f"nftables: {words}")

    def _end(self) -> None:
        if self._context:
            self._library.nft_ctx_free(self._context)
        self._context = None

    def _begun(self) -> int:
        """Raises ProgramError where the kernel takes no conversation: the library would end the process."""
        try:
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER).close()
        except OSError as error:
            raise ProgramError(f"nftables: {error.strerror}") from error
        before = _sockets()
        context: int = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_error(context)
        for its in _sockets() - before:
            os.set_inheritable(its, False)  # programs that are started must not have it
        return context

    def _declare(self, name: str, takes: list[type], gives: type | None) -> None:
        function = getattr(self._library, name)
        function.argtypes, function.restype = takes, gives


def _sockets() -> set[int]:
    """This process's, by their descriptors."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile, as the listing's own is
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                found.add(int(name))
    return found
