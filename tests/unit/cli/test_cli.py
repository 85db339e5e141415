"""The commands from outside: quick, quiet, with the exit codes that the help promises."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wherry.cli import COMMANDS, main
from wherry.config import SETTINGS

LATE = ("aiohttp", "apsw", "asyncio", "cryptography", "grpc", "orjson", "rich", "uvloop", "yaml", "wherry.config")
"""What a command that only prints must not load."""
NODE = ("run", "start", "stop", "status", "logs", "reset")


def wherry(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, list(words), env=env, prog_name="wherry")


def test_the_version_is_told_without_loading_the_rest() -> None:
    code = f"""
import sys
sys.argv = ["wherry", "--version"]
from wherry.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
found = [name for name in {LATE!r} if name in sys.modules]
assert not found, found
assert len(sys.modules) < 260, len(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wherry, version ")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = wherry(name, "--help")
    assert result.exit_code == 0, result.output
    assert "Example" in result.output
    assert f"wherry {name}" in result.output


@pytest.mark.parametrize("name", NODE)
def test_every_node_command_takes_every_setting(name: str) -> None:
    words = wherry("node", name, "--help").output.split()
    assert "Example:" in words or "Examples:" in words
    assert {each.flag for each in SETTINGS} <= {word.rstrip(",") for word in words}


def test_wrong_words_get_a_suggestion_and_exit_code_2() -> None:
    for words, hint in (
        (["statsu"], "did you mean status?"),
        (["node", "statr"], "start"),
        (["node", "status", "--prot", "1"], "--port"),
    ):
        result = wherry(*words)
        assert result.exit_code == 2
        assert hint in result.output


def test_a_wrong_setting_is_exit_code_2_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("\nprot = 1\n")
    result = wherry("node", "status", "--config", str(tmp_path / "c.toml"))
    assert (result.exit_code, result.output) == (
        2,
        f"Error: {tmp_path}/c.toml:2: prot: there is no such setting; did you mean port?\n",
    )
    assert wherry("node", "status", env={"WHERRY_PORT": "x"}).exit_code == 2
    assert "is not a whole number" in wherry("node", "status", "--port", "x").output


def test_a_node_that_is_down_is_exit_code_1(tmp_path: Path) -> None:
    result = wherry("node", "status", "--state", str(tmp_path / "st"), "--run-dir", str(tmp_path / "rn"), "-o", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["up"] is False
    assert not (tmp_path / "st").exists()


def test_logs_of_a_node_that_never_ran_say_so(tmp_path: Path) -> None:
    result = wherry("node", "logs", "--state", str(tmp_path))
    assert (result.exit_code, "has not been started yet" in result.output) == (1, True)
    assert wherry("node", "logs", "--state", str(tmp_path), "--since", "then").exit_code == 2


def test_nothing_is_removed_where_nobody_can_be_asked(tmp_path: Path) -> None:
    (tmp_path / "st").mkdir()
    result = wherry("node", "reset", "--state", str(tmp_path / "st"), "--run-dir", str(tmp_path / "rn"))
    assert result.exit_code in (1, 2)  # 1: not root
    assert (tmp_path / "st").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    result = wherry("completion", shell)
    assert result.exit_code == 0
    assert f"_WHERRY_COMPLETE={shell}_complete" in result.output


def test_completion_offers_commands_and_settings_and_is_silent_without_a_node(tmp_path: Path) -> None:
    def complete(line: str) -> list[str]:
        words = line.split(" ")
        env = {**os.environ, "_WHERRY_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        env["WHERRY_STATE"] = str(tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", "from wherry.cli import main; main(prog_name='wherry')"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return [each.partition(",")[2] for each in done.stdout.split()]

    assert complete("wherry ver") == ["version"]
    assert "--node-ports" in complete("wherry node start --no")
    assert complete("wherry logs w") == []


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    script = f"{sys.executable} -m wherry.cli completion bash | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 141)  # 0 where it was all in the pipe before the reader ended


def test_ctrl_c_is_130_without_a_traceback(tmp_path: Path) -> None:
    fifo = tmp_path / "c.toml"
    os.mkfifo(fifo)
    child = subprocess.Popen(
        [sys.executable, "-m", "wherry.cli", "node", "status", "--config", str(fifo)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with fifo.open("w"):  # opens once the command reads: there it waits
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (130, "", "\n")


def test_versions_as_json() -> None:
    assert set(json.loads(wherry("version", "-o", "json").stdout)) == {"version", "kubernetesVersion"}


def test_who_is_not_root_gets_the_command_to_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    settings = {"WHERRY_PORT": "7443", "WHERRY_STATE": str(tmp_path / "st"), "KUBECONFIG": "/home/a/kc"}
    result = wherry("node", "start", env=settings)
    assert result.exit_code == 1
    assert "wherry needs root for containers and networks: sudo /" in result.output
    assert f" node start --state {tmp_path}/st --port 7443 --kubeconfig /home/a/kc\n" in result.output
    assert not (tmp_path / "st").exists()
