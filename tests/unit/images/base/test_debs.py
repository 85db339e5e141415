import hashlib
import io
import lzma
import tarfile
from pathlib import Path

import pytest

from wherry.images.base import recipe
from wherry.images.base.debs import Package, key_of, merged, package_name, read_package
from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member


def tar(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mtime = len(text), 7
            archive.addfile(info, io.BytesIO(text.encode()))
    return lzma.compress(out.getvalue())


def ar(**files: bytes) -> bytes:
    heads = (
        (f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode(), data) for name, data in files.items()
    )
    return b"!<arch>\n" + b"".join(head + data + b"\n" * (len(data) % 2) for head, data in heads)


async def test_a_package_is_read_without_dpkg(tmp_path: Path) -> None:
    path = tmp_path / "box_1.0_amd64.deb"
    path.write_bytes(
        ar(
            **{
                "debian-binary": b"2.0\n",
                "control.tar.xz": tar(control="Package: box\n"),
                "data.tar.xz": tar(**{"bin/box": "odd"}),
            }
        )
    )
    package = await read_package(path)
    assert (package.name, package.control) == ("box", "Package: box\n")
    assert package.members == (Member(name="usr/bin/box", mode=0o644, mtime=7, data=b"odd"),)


async def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x_1_all.deb").write_bytes(b"<html>")
    with pytest.raises(ImageError, match="it is no ar archive"):
        await read_package(tmp_path / "x_1_all.deb")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("./bin/sh", "usr/bin/sh"),
        ("./lib64/ld.so", "usr/lib64/ld.so"),
        ("./bin/", ""),
        ("./", ""),
        (".", ""),
        ("./etc/x", "etc/x"),
        ("./library/x", "library/x"),
    ],
)
def test_paths_are_those_of_a_merged_usr(name: str, place: str) -> None:
    assert merged(name) == place


def test_the_key_changes_with_any_package_and_the_format() -> None:
    assert key_of(["a_1", "b_1"], "1") == key_of(["a_1", "b_1"], "1")
    assert len({key_of(["a_1"], "1"), key_of(["a_2"], "1"), key_of(["a_1"], "2")}) == 3
    assert package_name("libc6_2.36-9_amd64.deb") == "libc6"


def test_licences_stay_and_manuals_go() -> None:
    names = ("usr/share/doc/x/copyright", "usr/share/doc/x/README", "usr/share/man/man1/x.1", "usr/bin/x")
    package = Package("x", "", tuple(Member(name=name, data=b"") for name in names))
    assert [member.name for member in recipe.kept(package)] == ["usr/share/doc/x/copyright", "usr/bin/x"]


def test_a_runtime_has_users_authorities_and_a_note_of_each_package() -> None:
    authority = Member(name="usr/share/ca-certificates/mozilla/A.crt", data=b"AUTHORITY", mtime=9)
    members = {member.name: member for member in recipe.runtime([Package("ca", "Package: ca\n", (authority,))])}
    assert members["etc/ssl/certs/ca-certificates.crt"].data == b"AUTHORITY\n"
    passwd = members["etc/passwd"].data
    assert isinstance(passwd, bytes)
    assert b"app:x:10001:10001:" in passwd
    assert members["var/lib/dpkg/status.d/ca"].data == b"Package: ca\n"
    listed = f"{hashlib.md5(b'AUTHORITY', usedforsecurity=False).hexdigest()}  {authority.name}\n"
    assert members["var/lib/dpkg/status.d/ca.md5sums"].data == listed.encode()
    assert (members["tmp"].mode, members["root"].mode, members["bin"].target) == (0o1777, 0o700, "usr/bin")
    assert {member.mtime for member in members.values()} == {9}
