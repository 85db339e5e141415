"""Django projects as they are laid out in the wild."""

import pytest

from wherry.images.detect import detect
from wherry.images.detect.django import project


def manage(settings: str) -> str:
    return f"os.environ.setdefault('DJANGO_SETTINGS_MODULE', '{settings}')\n"


@pytest.mark.parametrize(
    ("files", "folder", "reference"),
    [
        ({"manage.py": manage("shop.settings"), "shop/settings.py": "", "shop/wsgi.py": ""}, "", "shop.wsgi"),
        ({"manage.py": manage("settings"), "settings.py": "", "wsgi.py": ""}, "", "wsgi"),
        ({"x/manage.py": manage("x.settings"), "x/settings.py": "", "x/wsgi.py": ""}, "", "x.wsgi"),
        ({"demo/manage.py": manage("s.conf.dev"), "demo/s/conf/dev.py": "", "demo/s/wsgi.py": ""}, "demo", "s.wsgi"),
        (
            {"manage.py": manage("a"), "a.py": "WSGI_APPLICATION = 'b.web.application'", "b/web.py": ""},
            "",
            "b.web",
        ),
    ],
)
def test_the_wsgi_object_is_that_of_the_settings(files: dict[str, str], folder: str, reference: str) -> None:
    found = project(files)
    assert found is not None
    assert (found.folder, found.reference) == (folder, f"{reference}:application")


def test_without_a_wsgi_module_django_makes_the_object_of_the_settings() -> None:
    found = project({"manage.py": manage("settings"), "settings.py": ""})
    assert found is not None
    assert (found.settings, found.factory) == ("settings", True)


@pytest.mark.parametrize(
    "files",
    [
        {"x/project_template/manage.py": manage("p.settings"), "x/project_template/p/settings.py": ""},
        {"shop/manage.py": "def add(): ...\n"},
        {},
    ],
)
def test_templates_and_other_modules_of_that_name_are_no_projects(files: dict[str, str]) -> None:
    assert project(files) is None


def test_settings_of_the_tests_come_last() -> None:
    files = {"manage.py": manage("tests.settings"), "tests/settings.py": ""}
    assert getattr(project(files), "settings", "") == "tests.settings"
    found = project({**files, "example/manage.py": manage("settings"), "example/settings.py": ""})
    assert found is not None
    assert (found.folder, found.settings) == ("example", "settings")


def test_jinja_s_templates_need_jinja() -> None:
    settings = "TEMPLATES = [{'BACKEND': 'django.template.backends.jinja2.Jinja2'}]"
    files = {"manage.py": manage("settings"), "settings.py": settings, "requirements.txt": "django\n"}
    assert list(detect(files).extra) == ["gunicorn", "jinja2"]


@pytest.mark.parametrize(("wsgi", "environment"), [("prod", {}), ("gone", {"DJANGO_SETTINGS_MODULE": "shop.dev"})])
def test_settings_that_a_wsgi_py_names_count_if_they_are_there(wsgi: str, environment: dict[str, str]) -> None:
    files = {"manage.py": manage("shop.dev"), "shop/dev.py": "", "shop/prod.py": ""}
    assert detect({**files, "shop/wsgi.py": manage(f"shop.{wsgi}")}).environment == environment
