"""Folders of a few files, and how the app in them starts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.images.detect import App, Unclear, detect
from wherry.images.detect.requirements import python_version

FLASK = "from flask import Flask\napp = Flask(__name__)\n@app.get('/healthz')\ndef ok(): return ''\n"
FACTORY = "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app\n"


def end(app: App, count: int = 1) -> list[str]:
    return list(app.command[-count:])


def test_a_flask_app_is_served_by_gunicorn_with_threads() -> None:
    app = detect({"app.py": FLASK, "requirements.txt": "flask==3.1.0\n"})
    assert (app.language, app.framework, app.port, app.health) == ("python", "flask", 8000, "/healthz")
    assert app.command[0] == "gunicorn"
    assert end(app) == ["app:app"]
    assert list(app.extra) == ["gunicorn"]
    assert any("line 2" in str(reason) for reason in app.reasons)


def test_a_server_that_is_required_already_is_not_added() -> None:
    app = detect({"app.py": FLASK, "requirements.txt": "Flask==3.1.0\nGunicorn==23\n"})
    assert list(app.extra) == []
    assert app.dependencies.lock == "requirements.txt"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"web.py": FACTORY}, ["web:create_app()"]),
        ({"pkg/__init__.py": FACTORY}, ["pkg:create_app()"]),
        ({"pkg/__init__.py": FACTORY, "wsgi.py": "from pkg import create_app\napp = create_app()\n"}, ["wsgi:app"]),
        ({"src/pkg/__init__.py": "", "src/pkg/main.py": FLASK}, ["--chdir", "src", "pkg.main:app"]),
        ({"main.py": "from fastapi import FastAPI\napi = FastAPI()\n"}, ["main:api"]),
        (
            {"main.py": "import fastapi\ndef create_app():\n    return fastapi.FastAPI()\n"},
            ["--factory", "main:create_app"],
        ),
        ({"main.py": "from dash import Dash\napp = Dash()\n"}, ["main:app.server"]),
        ({"main.py": "import falcon\napp = falcon.App()\n"}, ["main:app"]),
        ({"main.py": "import falcon.asgi\napp = falcon.asgi.App()\n"}, ["main:app"]),
        ({"a.py": "x = (", "app.py": FLASK}, ["app:app"]),
        ({"tests/app.py": FACTORY, "server.py": FLASK}, ["server:app"]),
    ],
)
def test_the_object_is_found_where_it_is(files: dict[str, str], command: list[str]) -> None:
    app = detect({"requirements.txt": "", **files})
    assert end(app, len(command)) == command


@pytest.mark.parametrize(
    ("source", "server"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", "uvicorn"),
        ("from quart import Quart\napp = Quart(__name__)", "uvicorn"),
        ("from starlette.applications import Starlette\napp: Starlette = Starlette()", "uvicorn"),
        ("import bottle\nif True:\n    app = bottle.Bottle()", "gunicorn"),
    ],
)
def test_asgi_goes_to_uvicorn_and_wsgi_to_gunicorn(source: str, server: str) -> None:
    assert detect({"main.py": source}).command[0] == server


def test_a_second_app_in_the_main_guard_does_not_count() -> None:
    source = "from flask import Flask\nif __name__ == '__main__':\n    test = Flask('x')\napp = Flask('y')\n"
    assert end(detect({"main.py": source})) == ["main:app"]


def test_django_is_served_from_its_wsgi_module_and_collects_its_files() -> None:
    files = {
        "manage.py": "import django",
        "shop/wsgi.py": "application = get_wsgi_application()",
        "shop/settings.py": "STATIC_ROOT = BASE_DIR / 'static'\nSTORAGE = 'whitenoise.storage.X'",
        "requirements.txt": "django==5.2\n",
    }
    app = detect(files)
    assert end(app) == ["shop.wsgi:application"]
    assert app.before == [["python", "manage.py", "collectstatic", "--noinput"]]
    deeper = detect({f"backend/{path}" if path != "requirements.txt" else path: text for path, text in files.items()})
    assert end(deeper, 3) == ["--chdir", "backend", "shop.wsgi:application"]


def test_streamlit_runs_its_script() -> None:
    app = detect({"requirements.txt": "streamlit\n", "util.py": "", "app.py": "import streamlit as st\n"})
    assert app.command[:3] == ["streamlit", "run", "app.py"]
    assert (app.port, app.health) == (8501, "/_stcore/health")


def test_aiohttp_runs_itself_at_the_port_it_names() -> None:
    source = "from aiohttp import web\napp = web.Application()\nif __name__ == '__main__':\n"
    source += "    web.run_app(app, port=9001)\n"
    app = detect({"server.py": source, "requirements.txt": "aiohttp\n"})
    assert (app.command, app.port) == (["python", "server.py"], 9001)


def test_the_procfile_is_believed() -> None:
    app = detect({"Procfile": "release: x\nweb: gunicorn -w 2 --bind 0.0.0.0:$PORT shop:app\n", "requirements.txt": ""})
    assert app.command == ["gunicorn", "-w", "2", "--bind", "0.0.0.0:8000", "shop:app"]
    assert app.environment == {"PORT": "8000"}
    shell = detect({"Procfile": "web: python setup.py && python app.py", "requirements.txt": ""})
    assert shell.command == ["/bin/sh", "-c", "exec python setup.py && python app.py"]


@pytest.mark.parametrize(
    ("files", "manager", "lock"),
    [
        ({"pyproject.toml": "[project]\nname='x'\ndependencies=['flask']", "uv.lock": ""}, "uv", "uv.lock"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nflask='*'", "poetry.lock": ""}, "poetry", "poetry.lock"),
        ({"pyproject.toml": "", "pdm.lock": ""}, "pdm", "pdm.lock"),
        ({"Pipfile": "[packages]\nflask='*'", "Pipfile.lock": "{}"}, "pipenv", "Pipfile.lock"),
        ({"requirements.txt": "flask>=3\n"}, "requirements", ""),
        ({"requirements.txt": "-r more.txt\n", "more.txt": "flask"}, "requirements", ""),
        ({"setup.py": "setup(install_requires=['flask>=2'])"}, "pyproject", ""),
    ],
)
def test_dependencies_come_from_the_lock_that_is_there(files: dict[str, str], manager: str, lock: str) -> None:
    found = detect({**files, "app.py": FLASK}).dependencies
    assert (found.manager, found.lock) == (manager, lock)
    assert "flask" in found.names or manager == "pdm"


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        (">=3.9", "3.13"),
        (">=3.9,<3.12", "3.11"),
        ("^3.10", "3.13"),
        ("~=3.11.0", "3.11"),
        ("==3.12.*", "3.12"),
        (">3.13", "3.14"),
    ],
)
def test_the_python_version_meets_what_is_asked(wanted: str, version: str) -> None:
    assert python_version({"pyproject.toml": f"[project]\nrequires-python = '{wanted}'"})[0] == version


def test_node_starts_without_npm_in_between_where_it_can() -> None:
    package = '{"dependencies": {"express": "4"}, "scripts": {"start": "node server.js", "build": "tsc"}}'
    app = detect({"package.json": package, "package-lock.json": "", "server.js": "app.listen(4000)"})
    assert (app.language, app.framework, app.port) == ("node", "express", 4000)
    assert app.command == ["node", "server.js"]
    assert app.before == [["npm", "run", "build"]]


def test_go_builds_its_one_main_package() -> None:
    source = 'package main\nfunc main() { http.ListenAndServe(":9090", nil) }'
    app = detect({"go.mod": "module x\ngo 1.24\n", "cmd/web/main.go": source})
    assert (app.port, app.version) == (9090, "1.24")
    assert app.before[0][-1] == "./cmd/web"
    with pytest.raises(Unclear, match=r"\./cmd/a, \./cmd/b"):
        detect({"go.mod": "", "cmd/a/main.go": source, "cmd/b/main.go": source})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"README.md": ""}, "nothing here says"),
        ({"requirements.txt": "requests", "job.py": "print(1)"}, "no web app"),
        ({"package.json": "{"}, "package.json:1"),
        ({"package.json": "{}"}, '"start"'),
    ],
)
def test_what_is_unclear_says_what_to_do(files: dict[str, str], says: str) -> None:
    with pytest.raises(Unclear, match=says):
        detect(files)


@given(
    st.dictionaries(
        st.sampled_from(["app.py", "pyproject.toml", "Procfile", "requirements.txt", "Pipfile.lock"]), st.text()
    )
)
def test_any_text_is_an_app_or_unclear(files: dict[str, str]) -> None:
    try:
        app = detect(files)
    except Unclear as unclear:
        text = str(unclear)
    else:
        text = " ".join(app.command)
    assert text


def test_static_files_are_collected_only_for_what_serves_them() -> None:
    files = {"manage.py": "import django", "shop/wsgi.py": "", "shop/settings.py": "STATIC_ROOT = 'static'"}
    assert detect(files).before == []


def test_a_manage_py_of_another_framework_is_no_django() -> None:
    wsgi = "from flask import Flask\napplication = Flask('x')\n"
    files = {"shop/manage.py": "from flask.cli import FlaskGroup", "shop/wsgi.py": wsgi, "setup.py": ""}
    assert detect(files).framework == "flask"


def test_a_helper_with_the_arguments_of_wsgi_is_no_application() -> None:
    helper = "def send_redirect(environ, start_response): ...\n"
    with pytest.raises(Unclear):
        detect({"util.py": helper})
    assert end(detect({"util.py": helper, "site.py": helper.replace("send_redirect", "application")})) == [
        "site:application"
    ]


def test_a_package_alone_is_a_python_project() -> None:
    source = "from flask import Flask\napp = Flask('x')\n"
    assert end(detect({"look/__init__.py": "", "look/app.py": source})) == ["look.app:app"]


def test_a_list_for_development_is_not_what_the_app_needs() -> None:
    source = {"shop.py": "from flask import Flask\napp = Flask('x')\n"}
    project = {"pyproject.toml": "[project]\nname = 'shop'\ndependencies = ['flask', 'rq', 'click']\n"}
    assert detect({**source, **project, "requirements.txt": "pytest\nruff\n"}).dependencies.manager == "pyproject"
    for listed in ("flask\nrq\nclick\n", "flask==3.1\nclick==8.1\n", "-e .\npytest\n"):
        found = detect({**source, **project, "requirements.txt": listed}).dependencies
        assert found.manager == "requirements"


def test_a_factory_may_have_another_do_the_work() -> None:
    source = (
        "import falcon\ndef create_app(store):\n    return falcon.App()\ndef get_app():\n    return create_app(1)\n"
    )
    assert end(detect({"look/__init__.py": "", "look/app.py": source})) == ["look.app:get_app()"]
