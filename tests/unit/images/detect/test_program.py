"""Distributions that serve by a program of their own: its options are read from its source."""

import ast

import pytest

from wherry.images.detect import detect
from wherry.images.detect.options import serving
from wherry.images.detect.program import asks_for_itself, entry_points, program

ARGPARSE = "p.add_argument('-p', '--port', default=9001)\np.add_argument('--host', default='localhost')\n"
CLICK = """
@cli.command()
@click.option('--host')
@click.option('-p', '--port', default=8001)
def serve(): ...
@cli.command('insert')
@click.argument('file')
def insert(): ...
"""
SUBPARSERS = (
    "s = subs.add_parser('start')\ns.add_argument('--bind')\nw = subs.add_parser('load')\nw.add_argument('file')\n"
)


@pytest.mark.parametrize(
    ("source", "words", "port"),
    [
        (ARGPARSE, ["--host=0.0.0.0", "--port=9001"], 9001),
        (CLICK, ["serve", "--host=0.0.0.0", "--port=8001"], 8001),
        (SUBPARSERS, ["start", "--bind=0.0.0.0:8000"], 8000),
        ("p.add_option('-p', '--port', default=80)\np.add_option('-a')", ["-a", "0.0.0.0", "--port=8000"], 8000),
        ("p.add_argument('--host')\np.add_argument('port', default=7000)", ["--host=0.0.0.0", "7000"], 7000),
    ],
)
def test_a_program_is_told_to_serve_every_address_by_its_own_options(source: str, words: list[str], port: int) -> None:
    made = serving(ast.parse(source))
    assert made is not None
    assert (list(made.words), made.port) == (words, port)


def test_an_option_for_a_port_alone_does_only_where_the_program_binds_every_address() -> None:
    source = ast.parse("define('port', default=8888, type=int)")
    assert serving(source) is None
    made = serving(source, anywhere=True)
    assert made is not None
    assert made.words == ("--port=8888",)


@pytest.mark.parametrize(
    "listed",
    [
        {"pyproject.toml": "[project]\nname = 'wiki'\n[project.scripts]\nwiki = 'wiki.cli:main'\n"},
        {"setup.cfg": "[metadata]\nname = wiki\n[options.entry_points]\nconsole_scripts =\n  wiki = wiki.cli:main\n"},
        {"setup.py": "setup(entry_points={'console_scripts': ['wiki = wiki.cli:main']})", "PKG-INFO": "Name: wiki\n"},
        {
            "PKG-INFO": "Name: wiki\n",
            "wiki.egg-info/entry_points.txt": "[console_scripts]\nwiki = wiki.cli:main\n[other]\na = b\n",
        },
    ],
)
def test_console_scripts_are_found_wherever_they_are_written(listed: dict[str, str]) -> None:
    files = {"wiki/__init__.py": "", "wiki/cli.py": "from wiki import arguments\n", "wiki/arguments.py": ARGPARSE}
    found = program({**files, **listed})
    assert found is not None
    assert found.command == ("wiki", "--host=0.0.0.0", "--port=9001")
    assert "wiki/arguments.py" in found.why


def test_a_script_called_like_the_distribution_goes_before_an_object_and_is_installed() -> None:
    files = {
        "pyproject.toml": "[project]\nname='my-wiki'\ndependencies=['flask']\n[project.scripts]\nmywiki='wiki:main'\n",
        "uv.lock": "",
        "wiki/__init__.py": f"from flask import Flask\napp = Flask('x')\n{ARGPARSE}",
    }
    app = detect(files)
    assert app.command[0] == "mywiki"
    assert (app.dependencies.manager, app.dependencies.itself) == ("uv", True)


def test_a_package_with_a_main_is_run_as_a_module() -> None:
    found = program({"pyproject.toml": "[project]\nname='x'", "x/__init__.py": "", "x/__main__.py": ARGPARSE})
    assert found is not None
    assert found.command[:3] == ("python", "-m", "x")


def test_a_distribution_that_asks_for_its_own_version_must_be_installed() -> None:
    files = {"pyproject.toml": "[project]\nname = 'shop'\n", "shop/__init__.py": "v = metadata.version('shop')\n"}
    assert asks_for_itself(files)
    assert not asks_for_itself({**files, "shop/__init__.py": "v = metadata.version('flask')\n"})


@pytest.mark.parametrize(
    "source",
    [
        f"{ARGPARSE}p.add_argument('database')\n",
        "@click.command()\n@click.option('--host')\n@click.option('--port')\n@click.argument('file')\ndef main(): ...",
    ],
)
def test_a_program_that_wants_a_file_cannot_be_started_by_itself(source: str) -> None:
    assert serving(ast.parse(source)) is None


@pytest.mark.parametrize(
    "argument", ["'files', nargs='*'", "'file', nargs='?'", "'file', default='x'", "'--database', required=True"]
)
def test_what_may_be_left_out_does_not_hinder(argument: str) -> None:
    assert serving(ast.parse(f"{ARGPARSE}p.add_argument({argument})\n")) is not None


def test_a_switch_is_no_address() -> None:
    source = "p.add_argument('-a', action='store_true')\np.add_argument('--http-ip')\np.add_argument('--http-port')\n"
    made = serving(ast.parse(source))
    assert made is not None
    assert made.words == ("--http-ip=0.0.0.0", "--http-port=8000")


def test_the_address_of_the_page_is_not_that_of_the_target() -> None:
    made = serving(ast.parse("p.add_argument('--host')\np.add_argument('--web-host')\np.add_argument('--web-port')\n"))
    assert made is not None
    assert made.words == ("--web-host=0.0.0.0", "--web-port=8000")


def test_a_package_that_is_run_and_imported_is_read_both_ways() -> None:
    files = {"PKG-INFO": "Name: wiki\n", "wiki/__main__.py": "import wiki\nwiki.main()\n", "wiki/__init__.py": ARGPARSE}
    found = program(files)
    assert found is not None
    assert found.command[:3] == ("python", "-m", "wiki")


def test_a_daemon_comes_before_the_tool_of_the_same_name() -> None:
    scripts = "[console_scripts]\nwiki = wiki.tool:main\nwikid = wiki.server:main\n"
    files = {"PKG-INFO": "Name: wiki\n", "wiki.egg-info/entry_points.txt": scripts}
    found = program({**files, "wiki/__init__.py": "", "wiki/tool.py": ARGPARSE, "wiki/server.py": ARGPARSE})
    assert found is not None
    assert found.name == "wikid"


def test_entry_points_are_read_from_the_call_in_a_setup_py() -> None:
    setup = "setup(entry_points={'paste.app_factory': ['main = wiki:main'], 'console_scripts': ['w=wiki.x:go']})"
    assert entry_points({"setup.py": setup}) == {
        "paste.app_factory": {"main": "wiki:main"},
        "console_scripts": {"w": "wiki.x:go"},
    }


def test_console_scripts_are_read_from_a_setup_py_that_computes_the_rest() -> None:
    setup = "setup(entry_points={'plugins': found(), 'console_scripts': ['w = wiki.x:go', 'v=wiki:v']})"
    assert entry_points({"setup.py": setup}) == {"console_scripts": {"w": "wiki.x:go", "v": "wiki:v"}}
    assert entry_points({"setup.py": f"print 'of Python 2'\n{setup}"}) == entry_points({"setup.py": setup})


def test_entry_points_of_every_group_are_read_from_a_setup_cfg_and_from_what_a_distribution_lists() -> None:
    setup = (
        "[options.entry_points]\nconsole_scripts =\n  # a comment\n  w = wiki.x:go [more]\nPlugins =\n  b = wiki:b\n"
    )
    listed = "[console_scripts]\nw = wiki.x:go [more]\n\n[Plugins]\nb = wiki:b\n"
    known = {"console_scripts": {"w": "wiki.x:go"}, "Plugins": {"b": "wiki:b"}}
    assert entry_points({"setup.cfg": setup}) == known
    assert entry_points({"wiki.egg-info/entry_points.txt": listed}) == known


def test_any_number_of_files_may_be_none() -> None:
    source = "@click.command()\n@click.argument('files', nargs=-1)\n@click.option('--host')\n@click.option('--port')\n"
    assert serving(ast.parse(f"{source}def serve(): ...")) is not None
