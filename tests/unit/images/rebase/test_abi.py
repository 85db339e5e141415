from dataclasses import replace

from wherry.images.rebase.abi import Files, unfit
from wherry.images.rebase.elf import Elf

SITE = "opt/venv/lib/python3.11/site-packages"


def libc(*versions: str) -> Elf:
    return Elf("libc.so.6", gives=frozenset(f"GLIBC_{version}" for version in versions))


def base(python: str = "3.11", *versions: str, **libraries: Elf) -> Files:
    elves = {"usr/lib/libc.so.6": libc(*(versions or ("2.9", "2.34", "2.36")))}
    elves |= {f"usr/lib/{name}.so.1": elf for name, elf in libraries.items()}
    return Files(frozenset({f"usr/bin/python{python}", *elves}), {}, elves, frozenset({"root", "app"}))


def app(*needed: str, version: str = "2.34", **own: Elf) -> Files:
    module = Elf("", ("libc.so.6", *needed), {"libc.so.6": frozenset({f"GLIBC_{version}"})})
    elves = {f"{SITE}/x.so": module, **{f"{SITE}/x.libs/{name}.so.1": elf for name, elf in own.items()}}
    links = {"opt/venv/bin/python": "/usr/bin/python3.11"}
    return Files(frozenset({*elves, *links, f"{SITE}/x.py"}), links, elves)


def test_the_same_base_again_fits() -> None:
    assert list(unfit(app(), base(), base(), "10001:10001")) == []


def test_another_python_does_not_fit() -> None:
    assert list(unfit(app(), base(), base("3.13"), "")) == [
        "its packages are for Python 3.11, and the new base has 3.13",
        "/opt/venv/bin/python points to /usr/bin/python3.11, which the new base lacks",
    ]


def test_an_older_libc_does_not_fit_what_needs_a_newer_one() -> None:
    old, new = base(), base("3.11", "2.9", "2.31")
    assert list(unfit(app(), old, new, "")) == [
        f"the new base's libc.so.6 lacks GLIBC_2.34, which goes up to GLIBC_2.31, needed by /{SITE}/x.so"
    ]
    assert list(unfit(app(version="2.9"), old, new, "")) == []


def test_a_library_that_went_is_missed_unless_the_app_brings_its_own() -> None:
    old = base(z=Elf("libz.so.1"))
    assert list(unfit(app("libz.so.1"), old, base(), "")) == [f"the new base lacks libz.so.1, needed by /{SITE}/x.so"]
    assert list(unfit(app("libz.so.1", libz=Elf("libz.so.1")), old, base(), "")) == []


def test_what_the_old_base_lacked_too_is_no_reason() -> None:
    assert list(unfit(app("libcuda.so.1", version="9.99"), base(), base(), "")) == []


def test_libraries_are_found_by_links() -> None:
    there = replace(base(), links={"usr/lib/libz.so.1": "libz.so.1.2.13"}, elves={"usr/lib/libz.so.1.2.13": Elf("")})
    assert "libz.so.1" in there.libraries()


def test_a_user_by_name_has_to_be_known() -> None:
    new = replace(base(), users=frozenset({"root"}))
    assert list(unfit(app(), base(), new, "app:root")) == ["it runs as app, whom the new base does not know"]
    assert list(unfit(app(), base(), new, "10001")) == []
