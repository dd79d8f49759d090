"""What the image's build steps leave, used as the image would use it.

The steps are run in a folder that holds only what the image's build would see.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from pipeline import __version__
from tests.packaging.dockerfile import PROJECT

pytestmark = pytest.mark.full  # it takes a minute of work


def run(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with nothing of this project in sight."""
    environment = {
        "PATH": f"{installed}/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["cio-pipeline", *arguments],
        executable=installed / "bin/cio-pipeline",
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_installed_program_tells_its_version(installed: Path, tmp_path: Path) -> None:
    result = run(installed, "--version", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"cio-pipeline {__version__}\n", "")


def test_what_init_writes_passes_its_own_tests_with_the_installed_program(
    installed: Path, tmp_path: Path
) -> None:
    assert run(installed, "init", folder=tmp_path).returncode == 0
    result = run(installed, "mapping", "test", "mappings/first.yaml", folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_preset_travels_in_the_wheel_and_passes_its_tests(installed: Path, tmp_path: Path) -> None:
    (packages,) = (installed / "lib").glob("python*/site-packages")
    presets = sorted((packages / "pipeline/presets").rglob("*.yaml"))
    assert [file.relative_to(packages / "pipeline/presets") for file in presets] == [
        file.relative_to(PROJECT / "mappings") for file in sorted((PROJECT / "mappings").rglob("*.yaml"))
    ]
    result = run(installed, "mapping", "test", *map(str, presets), folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_admin_page_travels_in_the_wheel_whole(installed: Path) -> None:
    (packages,) = (installed / "lib").glob("python*/site-packages")
    page = PROJECT / "pipeline/operations/web"
    travelled = {file.name: file.read_bytes() for file in (packages / "pipeline/operations/web").iterdir()}
    assert travelled == {file.name: file.read_bytes() for file in page.iterdir()}


def test_nothing_that_builds_is_left_inside(installed: Path) -> None:
    names = {path.name for path in (installed / "bin").iterdir()}
    assert "pip" not in names
    (packages,) = (installed / "lib").glob("python*/site-packages")
    inside = {path.name.partition("-")[0] for path in packages.iterdir()}
    assert not inside & {"pip", "hatchling", "pytest", "mypy", "ruff", "hypothesis"}


def test_the_page_tells_how_much_the_image_installs(installed: Path) -> None:
    (told,) = re.findall(r"installs (\d+) MB", (PROJECT / "docs/operations.md").read_text("utf-8"))
    files = [path for path in installed.rglob("*") if path.is_file() and not path.is_symlink()]
    measured = sum(path.stat().st_size for path in files) / 1e6
    assert abs(measured - int(told)) <= 0.1 * int(told), f"{measured:.0f} MB"


def test_what_an_extra_brings_works_without_what_built_it(installed: Path) -> None:
    """protoc is one of the registry's tools, and its package asks for setuptools, which is not inside."""
    python = installed / "bin/python"
    for command in (["-m", "grpc_tools.protoc", "--version"], ["-c", "import fastavro, jsonschema_rs"]):
        ran = subprocess.run([python, *command], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    imported = "import pipeline.operations.tracing_export"
    ran = subprocess.run([python, "-c", imported], cwd="/", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_the_versions_inside_are_the_tested_ones(installed: Path) -> None:
    (packages,) = (installed / "lib").glob("python*/site-packages")
    inside = {
        path.name.removesuffix(".dist-info").lower().replace("_", "-")
        for path in packages.glob("*.dist-info")
    }
    pins = {
        line.replace("==", "-").lower().replace("_", "-")
        for line in (PROJECT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    }
    assert inside - {f"cio-pipeline-{__version__}"} <= pins


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_it_runs_as_nobody_from_a_folder_it_cannot_write(installed: Path) -> None:
    result = subprocess.run(
        [installed / "bin/cio-pipeline", "--version"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        user=65_534,
        group=65_534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, f"cio-pipeline {__version__}\n"), result.stderr
