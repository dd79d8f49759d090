"""The program as the image's build steps install it, shared by the tests of this folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.packaging.dockerfile import PROJECT, read_stages

BUILD, _ = read_stages(PROJECT / "docker/Dockerfile")


def interpreter() -> Path:
    """A Python that every user of this machine can run, where there is one."""
    system = Path("/usr/bin/python3")
    usable = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    if system.exists() and subprocess.run([system, "-c", usable], check=False).returncode == 0:
        return system
    return Path(sys.executable)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program's folder after the build stage's own commands, run one by one, open to every user."""
    context = tmp_path_factory.mktemp("context")
    for source in BUILD.copied():
        if (PROJECT / source).is_dir():
            shutil.copytree(PROJECT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / source, context / source)
    with TemporaryDirectory(prefix="cio-pipeline-image-") as folder:
        Path(folder).chmod(0o755)
        target = Path(folder) / "cio-pipeline"
        for command in BUILD.all("RUN"):
            play(command, target, context)
        yield target


def play(command: str, target: Path, context: Path) -> None:
    here = (
        command.replace("/opt/cio-pipeline", str(target))
        .replace("python -m venv", f"{interpreter()} -m venv")
        .replace("--no-cache-dir ", "")  # which changes nothing but the time it takes
    )
    ran = subprocess.run(
        ["sh", "-ec", here],
        cwd=context,
        env={**os.environ, **dict(argument.split("=", 1) for argument in BUILD.all("ARG"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
