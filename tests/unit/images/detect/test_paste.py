"""Paste configurations name an app that gunicorn loads."""

from wherry.images.detect import detect

INI = "[app:main]\nuse = egg:shop\npyramid.includes =\n    pyramid_debugtoolbar\n[server:main]\nuse = egg:w#main\n"
SETUP = "setup(name='shop', install_requires=['pyramid'], entry_points={'paste.app_factory': ['main = shop:main']})"


def test_the_main_app_is_served_with_what_the_configuration_includes() -> None:
    app = detect({"setup.py": SETUP, "development.ini": INI, "shop/__init__.py": "def main(settings): ..."})
    assert (app.framework, list(app.command[-2:])) == ("pyramid", ["--paste", "development.ini"])
    assert list(app.extra) == ["gunicorn", "pyramid_debugtoolbar"]
    assert app.dependencies.manager == "pyproject"  # so its own entry points are installed


def test_the_configuration_for_production_comes_first() -> None:
    files = {"setup.py": SETUP, "development.ini": INI, "production.ini": "[app:main]\nuse = egg:shop\n"}
    app = detect({**files, "shop/__init__.py": ""})
    assert app.command[-1] == "production.ini"
    assert list(app.extra) == ["gunicorn"]


def test_other_ini_files_are_no_apps() -> None:
    app = detect(
        {"app.py": "from flask import Flask\napp = Flask('x')", "setup.py": SETUP, "app.ini": "[uwsgi]\nx = 1\n"}
    )
    assert app.command[-1] == "app:app"
