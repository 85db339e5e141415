from pathlib import Path

from wherry.images.host import MOUNT, host_settings, volumes, write_settings


def test_a_machine_without_settings_mounts_little(tmp_path: Path) -> None:
    settings = host_settings({}, tmp_path, tmp_path)
    assert set(settings.files) <= {"ca-certificates.crt"}
    assert settings.mounts == ()


def test_the_authorities_are_those_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("AUTHORITY")
    settings = host_settings({"SSL_CERT_FILE": str(tmp_path / "own.pem")}, tmp_path, tmp_path)
    assert settings.files["ca-certificates.crt"] == b"AUTHORITY"
    assert settings.variables["PIP_CERT"] == settings.variables["SSL_CERT_FILE"] == f"{MOUNT}/ca-certificates.crt"


def test_pip_s_files_and_variables_are_one_file_in_pip_s_order(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://one/\ncert = /elsewhere\n")
    (tmp_path / ".config/pip/pip.conf").write_text("[install]\nextra-index-url =\n  https://two/\n  https://three/\n")
    env = {"PIP_INDEX_URL": "https://user:password@four/", "PIP_CACHE_DIR": "/mine", "PIP_TARGET": "/x"}
    settings = host_settings(env, tmp_path, tmp_path)
    assert settings.files["xdg/pip/pip.conf"].decode() == (
        "[global]\nextra-index-url = https://two/ https://three/\nindex-url = https://user:password@four/\n"
    )
    assert "password" not in str(settings.variables)


def test_local_wheels_are_mounted_where_they_are(tmp_path: Path) -> None:
    full, empty = tmp_path / "wheels", tmp_path / "none"
    full.mkdir()
    empty.mkdir()
    (full / "a.whl").touch()
    settings = host_settings({"PIP_FIND_LINKS": f"{full} {empty} https://links/"}, tmp_path, tmp_path)
    assert settings.files["xdg/pip/pip.conf"] == f"[global]\nfind-links = {full} https://links/\n".encode()
    assert volumes(settings, tmp_path / "host") == [f"{tmp_path}/host:{MOUNT}:ro", f"{full}:{full}:ro"]


def test_uv_s_variables_become_its_file_unless_it_has_one(tmp_path: Path) -> None:
    env = {"UV_DEFAULT_INDEX": "https://user:password@index/", "UV_INSECURE_HOST": "a b", "UV_CACHE_DIR": "/mine"}
    made = host_settings(env, tmp_path, tmp_path).files["xdg/uv/uv.toml"].decode()
    assert made == 'allow-insecure-host = ["a", "b"]\nindex-url = "https://user:password@index/"\n'
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text("native-tls = true\n")
    assert host_settings(env, tmp_path, tmp_path).files["xdg/uv/uv.toml"] == b"native-tls = true\n"


def test_any_user_in_the_build_can_read_the_files(tmp_path: Path) -> None:
    root = write_settings(host_settings({"PIP_INDEX_URL": "https://x/"}, tmp_path, tmp_path), tmp_path)
    assert (root / "xdg/pip/pip.conf").stat().st_mode & 0o777 == 0o644
    assert (root / "xdg/pip").stat().st_mode & 0o777 == 0o755
