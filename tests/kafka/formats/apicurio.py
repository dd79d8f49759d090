"""Apicurio Registry, which speaks the Confluent API, in memory on a loopback port; fetched once by Maven."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.servers.pipeline import wait_until
from tests.servers.ports import free_ports

VERSION = "2.6.13.Final"  # the last that runs on Java 17
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
_FOLDER = Path(__file__).parents[3] / ".cache" / f"apicurio-{VERSION}"
_START_S = 90.0


class ApicurioUnavailableError(Exception):
    """The registry cannot run here, and why."""


class Apicurio:
    """A running registry. `url` is where its Confluent API is."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.port = port
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        options = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        jar = _unpacked() / f"apicurio-registry-app-{VERSION}-runner.jar"
        with (folder / "apicurio.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["java", *options, "-jar", str(jar)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env={**os.environ, "QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port)},
            )
        wait_until(self._answers, "the registry answers", _START_S)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the registry ended"
        try:
            return httpx.get(f"{self.url}/subjects", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unpacked() -> Path:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise ApicurioUnavailableError(f"the schema registry needs {tool}, which is not installed")
    _FOLDER.parent.mkdir(exist_ok=True)
    with (_FOLDER.parent / "apicurio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _FOLDER.exists():
            _fetch()
    return _FOLDER


def _fetch() -> None:
    partial = _FOLDER.with_suffix(".partial")
    goal = ["dependency:unpack", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={partial}"]
    command = ["mvn", "-q", "-B", *goal]
    # Where there is no project the plugin leaves its notes in the working folder.
    done = subprocess.run(
        command, cwd=_FOLDER.parent, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise ApicurioUnavailableError(f"Maven could not fetch Apicurio Registry: {done.stdout[-500:]}")
    partial.rename(_FOLDER)
