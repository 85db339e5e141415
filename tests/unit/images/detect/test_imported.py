"""Packages of folders that name none."""

from wherry.images.detect import detect
from wherry.images.detect.imported import packages


def test_what_is_imported_and_neither_standard_nor_ones_own_is_a_package() -> None:
    files = {
        "app.py": "import json, yaml\nfrom flask import Flask\nfrom helpers import a\nfrom . import b\n",
        "helpers.py": "from PIL import Image\nfrom rest_framework.views import View\n",
        "tests/test_app.py": "import pytest\n",
    }
    assert packages(files) == ["djangorestframework", "flask", "pillow", "pyyaml"]


def test_what_may_be_missing_is_left_out() -> None:
    assert packages({"app.py": "try:\n    import ujson\nexcept ImportError:\n    import json\nimport flask\n"}) == [
        "flask"
    ]


def test_an_app_without_a_list_gets_them_and_says_so() -> None:
    app = detect({"app.py": "from flask import Flask\nimport numpy\napp = Flask('x')\n"})
    assert app.dependencies.manager == "imports"
    assert app.memory == "768Mi"
    assert any("the modules import them" in str(reason) for reason in app.reasons)


def test_a_function_called_with_environ_is_an_app_and_one_with_a_scope_too() -> None:
    wsgi = detect({"serve.py": "def application(environ, start_response): ...\n"})
    assert wsgi.command[-1] == "serve:application"
    asgi = detect({"serve.py": "async def app(scope, receive, send): ...\n"})
    assert asgi.command[0] == "uvicorn"
