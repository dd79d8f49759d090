"""What the process tells its caller, whatever a command does."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import click
import pytest

from pipeline import __version__
from pipeline.cli.commands import COMMANDS, command_line
from pipeline.cli.entry import run_command_line
from pipeline.errors import ConfigurationError, ExitStatus, PipelineError, RemoteRefusedError

HEAVY = {
    "pydantic",
    "httpx",
    "confluent_kafka",
    "starlette",
    "uvicorn",
    "rich",
    "structlog",
    "yaml",
    "jmespath",
    "orjson",
}


def run_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def run_failing(error: BaseException) -> int:
    """Run a command that raises this."""

    @click.command()
    def fail() -> None:
        raise error

    return run_command_line(["fail"], click.Group(commands=[fail]))


def test_help_names_every_command_with_its_summary() -> None:
    result = run_process("--help")
    assert result.returncode == 0
    for name, command in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert command.summary in " ".join(result.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli.entry import run_command_line; status = run_command_line(['--help']);"
        "print('\\n' + ' '.join(sys.modules)); sys.exit(status)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in result.stdout.splitlines()[-1].split()}
    assert "click" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists_under_its_name(name: str) -> None:
    with command_line.make_context("cio-pipeline", [name], resilient_parsing=True) as context:
        command = command_line.get_command(context, name)
    assert command is not None
    assert command.name == name


def test_version_is_that_of_the_package() -> None:
    result = run_process("--version")
    assert (result.returncode, result.stdout) == (0, f"cio-pipeline {__version__}\n")


def test_an_unknown_command_is_a_usage_error_that_suggests_the_nearest() -> None:
    result = run_process("mappping")
    assert result.returncode == ExitStatus.USAGE
    assert "No such command 'mappping'. Did you mean 'mapping'?" in result.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    result = run_process("--nonsense")
    assert result.returncode == ExitStatus.USAGE
    assert "--nonsense" in result.stderr


@pytest.mark.parametrize("error_type", [PipelineError, ConfigurationError, RemoteRefusedError])
def test_an_error_of_ours_ends_in_its_sentence_and_its_status(
    error_type: type[PipelineError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_failing(error_type("the topic 'shop' does not exist; create it")) == error_type.exit_status
    assert capsys.readouterr().err == "Error: the topic 'shop' does not exist; create it\n"


def test_an_unexpected_error_is_called_a_bug_and_shows_no_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CIO_PIPELINE_DEBUG", raising=False)
    assert run_failing(ValueError("ada@example.com")) == ExitStatus.FAILED
    message = capsys.readouterr().err
    assert "this is a bug" in message
    assert "ValueError in cli/test_command_line.py:" in message
    assert "ada@example.com" not in message
    assert "Traceback" not in message


def test_the_debug_variable_lets_an_unexpected_error_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIO_PIPELINE_DEBUG", "1")
    with pytest.raises(ValueError, match="whole"):
        run_failing(ValueError("whole"))


def test_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_failing(KeyboardInterrupt()) == ExitStatus.INTERRUPTED
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_met_with_silence() -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.stdin.read(); from pipeline.cli import main; main()",
            "--help",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    assert process.wait(30) == ExitStatus.FAILED
    assert process.stderr.read() == b""
    process.stderr.close()


def test_every_command_module_is_there() -> None:
    for command in COMMANDS.values():
        module = command.target.partition(":")[0]
        assert find_spec(module) is not None, module
        import_module(module)


def test_interrupt_and_terminate_follow_the_shells_convention() -> None:
    assert ExitStatus.INTERRUPTED == 128 + signal.SIGINT
    assert ExitStatus.TERMINATED == 128 + signal.SIGTERM
