"""Apps that keep their data beside their sources get a copy of their folder to write into."""

import pytest

from wherry.images.detect import detect

MANAGE = "import django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
SQLITE = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}}\n"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"


def test_django_s_sqlite_is_migrated_in_the_copy() -> None:
    app = detect({"manage.py": MANAGE, "shop/settings.py": SQLITE, "shop/wsgi.py": ""})
    assert app.writes == "shop/settings.py names SQLite"
    assert app.prepare == [["python", "manage.py", "migrate", "--noinput"]]


@pytest.mark.parametrize(
    "settings",
    [
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}",
        SQLITE.replace("BASE_DIR / 'db.sqlite3'", "':memory:'"),
    ],
)
def test_a_database_elsewhere_is_left_alone(settings: str) -> None:
    app = detect({"manage.py": MANAGE, "shop/settings.py": settings, "shop/wsgi.py": ""})
    assert (app.writes, list(app.prepare)) == ("", [])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("app.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite:///shop.db'", "app.py, line 3: SQLite in a file"),
        ("db = sqlite3.connect('shop.db')", "app.py, line 3: SQLite in a file"),
        ("other = Flask(__name__, instance_relative_config=True)", "app.py, line 3: Flask's instance folder"),
        ("if not ready:\n    os.makedirs(app.config['CACHE'])", "app.py, line 4: a directory, made on import"),
        ("os.makedirs('/var/cache/shop')", ""),
        ("def cache(): os.makedirs(app.config['CACHE'])", ""),
        ("URI = 'sqlite:///:memory:'", ""),
        ("URI = 'sqlite:////var/lib/shop.db'", ""),
        ("db = sqlite3.connect('/tmp/shop.db')", ""),
        ("db = sqlite3.connect(':memory:')", ""),
    ],
)
def test_what_a_source_says_of_its_data(source: str, why: str) -> None:
    assert detect({"app.py": f"{FLASK}{source}\n"}).writes == why


def test_the_app_s_own_command_makes_its_tables() -> None:
    command = "import click\n@click.command('init-db')\ndef init(): ...\n"
    files = {"app.py": f"{FLASK}URI = 'sqlite:///shop.db'\n", "db.py": command}
    assert detect(files).prepare == [["flask", "--app", "app:app", "init-db"]]
    assert detect({"app.py": FLASK, "db.py": command}).prepare == ()
