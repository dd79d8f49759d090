"""Prometheus and promtool, as Debian packages them: unpacked beside the project, never installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.servers.pipeline import wait_until
from tests.servers.ports import free_ports
from tests.servers.requirements import missing

CACHE = Path(__file__).parents[2] / ".cache" / "prometheus"
UNPACKED = CACHE / "usr/bin"


def tool(name: str) -> Path:
    """Return `prometheus` or `promtool`, fetched when it is not there yet; skip the test when it cannot be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    if not (UNPACKED / name).exists():
        _fetch()
    return UNPACKED / name


def _fetch() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        missing("there is no Prometheus, and this is no Debian to fetch it from")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Unpacked and not installed: an installed one would start to serve.
    download = "apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }"
    script = f"{download}; dpkg -x prometheus_*.deb ."
    done = subprocess.run(["sh", "-ec", script], cwd=CACHE, capture_output=True, check=False, timeout=300)
    if done.returncode:
        missing("Debian's package of Prometheus cannot be fetched")


class Prometheus:
    """Asks targets for their metrics once a second and answers queries, on a loopback port."""

    def __init__(self, folder: Path, *targets: str, rules: Path | None = None) -> None:
        self._folder = folder
        (port,) = free_ports(1)
        self._address = f"127.0.0.1:{port}"
        rule_files = "" if rules is None else f"rule_files: ['{rules}']\n"
        self._configuration = folder / "prometheus.yml"
        self._configuration.write_text(
            f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{rule_files}"
            f"scrape_configs:\n- job_name: cio-pipeline\n  static_configs:\n  - targets: {list(targets)}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._data = tempfile.TemporaryDirectory(prefix="prometheus-")

    def __enter__(self) -> Self:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    tool("prometheus"),
                    f"--config.file={self._configuration}",
                    f"--storage.tsdb.path={self._data.name}",
                    f"--web.listen-address={self._address}",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, "Prometheus ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)
        self._data.cleanup()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the series that a query gives now."""
        answer = httpx.get(
            f"http://{self._address}/api/v1/query", params={"query": query}, trust_env=False, timeout=30
        ).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()[-2000:]
        try:
            return httpx.get(f"http://{self._address}/-/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
