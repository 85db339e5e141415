"""On the C library that the tests themselves run by, and on files that are damaged."""

import ctypes
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.images.rebase.elf import MAGIC, Elf, read


def library(name: str) -> bytes:
    """A library that this process has loaded."""
    ctypes.CDLL(name)
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split()[-1]
        if path.rpartition("/")[2].startswith(name):
            return Path(path).read_bytes()
    pytest.fail(f"{name} is loaded and not mapped")


def test_a_library_tells_its_name_and_its_symbols_versions() -> None:
    found = read(library("libc.so.6"))
    assert found is not None
    assert found.soname == "libc.so.6"
    assert {"GLIBC_2.17", "libc.so.6"} <= found.gives
    assert found.needed[0].startswith("ld-linux")


def test_a_library_tells_what_it_needs_of_others() -> None:
    found = read(library("libz.so.1"))
    assert found is not None
    assert "libc.so.6" in found.needed
    assert any(version.startswith("GLIBC_2.") for version in found.versions["libc.so.6"])


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", MAGIC, MAGIC + b"\2\1" + b"\0" * 100])
def test_what_is_no_library_tells_nothing(data: bytes) -> None:
    assert read(data) is None


HEAD = MAGIC + b"\2\1\1" + b"\0" * 9


@given(st.binary(min_size=60, max_size=400), st.integers(0, 40), st.integers(0, 400))
def test_damaged_files_tell_nothing_and_do_no_harm(rest: bytes, count: int, start: int) -> None:
    data = bytearray(HEAD + rest)
    struct.pack_into("<Q", data, 32, start)
    struct.pack_into("<HH", data, 54, 56, count)
    assert isinstance(read(bytes(data)), Elf | None)
