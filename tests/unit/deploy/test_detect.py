"""What a folder says of its port, health path and user."""

import pytest

from wherry.deploy.detect import detect, last_stage


@pytest.mark.parametrize(
    ("files", "port"),
    [
        ({"Dockerfile": "FROM a\nEXPOSE 9000\n"}, "9000"),
        ({"Dockerfile": 'FROM a\nCMD ["gunicorn", "-b", "0.0.0.0:8123", "app:app"]\n'}, "8123"),
        ({"Dockerfile": "FROM a\nCMD gunicorn --bind=:8124 app:app\n"}, "8124"),
        ({"Dockerfile": 'FROM a\nCMD ["uvicorn", "app:app", "--port", "8125"]\n'}, "8125"),
        ({"Dockerfile": 'FROM a\nCMD ["python", "manage.py", "runserver", "0.0.0.0:8126"]\n'}, "8126"),
        ({"Procfile": "web: streamlit run app.py --server.port 8127\n"}, "8127"),
        ({"app.py": "app.run(host='0.0.0.0',\n    port=8128)\n"}, "8128"),
        ({"requirements.txt": "Flask==3.1\n"}, "5000"),
        ({"requirements.txt": "fastapi\nuvicorn\n"}, "8000"),
        ({"Dockerfile": "FROM a AS b\nEXPOSE 1\nFROM c\nEXPOSE 2\n"}, "2"),
        ({"Dockerfile": "FROM a AS base\nEXPOSE 1\nFROM base\nCMD run\n"}, "1"),
        ({"Dockerfile": "FROM a\n"}, ""),
    ],
)
def test_the_port_is_found(files: dict[str, str], port: str) -> None:
    found = detect(files).port
    assert (found.value if found else "") == port


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"a.py": "@app.route('/')\n@app.route('/healthz')\n"}, "/healthz"),
        ({"a.py": '@app.get("/")\n'}, "/"),
        ({"requirements.txt": "django", "urls.py": "path('health/', ok)"}, "/health/"),
        ({"server.js": "app.get('/up', ok)"}, "/up"),
        ({"a.py": "print('/healthz')"}, ""),
    ],
)
def test_the_health_path_is_found(files: dict[str, str], path: str) -> None:
    found = detect(files).health
    assert (found.value if found else "") == path


@pytest.mark.parametrize(
    ("user", "numeric"), [("10001", True), ("10001:10001", True), ("app", False), ("0", False), ("", False)]
)
def test_only_a_number_proves_that_the_user_is_not_root(user: str, numeric: bool) -> None:
    assert detect({"Dockerfile": f"FROM a\nUSER {user}\n" if user else "FROM a\n"}).numeric_user is numeric


def test_instructions_may_go_over_several_lines() -> None:
    assert last_stage("FROM a\nRUN one \\\n  # said between\n  && two\nexpose 80\n") == [
        ("RUN", "one  && two"),
        ("EXPOSE", "80"),
    ]
