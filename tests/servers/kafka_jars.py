"""Apache Kafka's jars, fetched once by Maven into the repository's cache folder."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_POM = Path(__file__).parent / "kafka" / "pom.xml"
_TIMEOUT_S = 600


class KafkaUnavailableError(Exception):
    """Apache Kafka cannot run here, and why."""


def class_path() -> str:
    """Return the class path of a broker.

    Raises:
        KafkaUnavailableError: there is no JDK or no Maven, or the jars could not be had.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise KafkaUnavailableError(f"Apache Kafka needs {tool}, which is not installed")
    folder = _ROOT / ".cache" / f"kafka-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]}"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder)
    return f"{_POM.parent}:{folder}/*"


def _fetch(folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    command = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise KafkaUnavailableError(f"Maven could not fetch Apache Kafka: {done.stdout[-500:]}")
    partial.rename(folder)
