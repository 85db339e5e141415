"""libnftables, the library that `nft` is a shell of: transactions without a process for each (ADR 23).

The package of `nft` brings it. A process of nft ends only when its socket to the kernel is closed, and that waits until
the kernel has freed what the transaction took away: 20 ms and more in which the rules hold and nobody is told.
"""

import ctypes
import threading
from types import TracebackType
from typing import Self

from wherry.process import ProgramError

_NAME = "libnftables.so.1"
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
        self._turn = threading.Lock()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise ProgramError(f"{_NAME}: cannot speak to the kernel")
        self._library.nft_ctx_buffer_error(self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._turn:
            context, self._context = self._context, None
        if context:
            self._library.nft_ctx_free(context)

    def run(self, transaction: str) -> None:
        """Carry it out, all or nothing; the rules hold when this returns. Blocking. Raises ProgramError with its words.

        `transaction` is what `nft -f` takes.
        """
        with self._turn:
            if not self._context:
                raise ProgramError(f"{_NAME}: the conversation is over")
            if self._library.nft_run_cmd_from_buffer(self._context, transaction.encode()):
                said: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
                raise ProgramError(f"nftables: {said.decode(errors='replace').strip()[-_SAID:]}")

    def _declare(self, name: str, takes: list[type], gives: type | None) -> None:
        function = getattr(self._library, name)
        function.argtypes, function.restype = takes, gives
