"""The vendor's own Node client against the sandbox."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.requirements import missing
from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

PACKAGE = "customerio-node@5.2.0"
SCRIPT = Path(__file__).with_name("official_node_client.mjs")
MODULES = Path(__file__).parents[3] / ".cache" / "node"


@pytest.fixture(scope="module")
def modules() -> Path:
    """A folder in which the client is installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("there is no Node.js with npm")
    if not (MODULES / "node_modules" / "customerio-node").exists():
        MODULES.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-save", "--prefix", str(MODULES), PACKAGE]
        if subprocess.run(command, check=False, capture_output=True, timeout=180).returncode != 0:
            missing(f"{PACKAGE} cannot be installed")
    return MODULES


@pytest.mark.full
def test_what_the_official_node_client_does_is_understood(modules: Path) -> None:
    with SandboxThread() as sandbox:
        done = subprocess.run(
            ["node", str(SCRIPT), sandbox.base_url, SITE_ID, API_KEY, str(modules)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "longer than 1000 bytes" in json.loads(done.stdout)["refusal"]
        seen = [(arrival["kind"], arrival["person"], arrival["outcome"]) for arrival in sandbox.arrivals()]
    assert seen == [
        ("identify", "id:42", "applied"),
        ("identify", "id:!'()*", "applied"),
        ("track", "id:42", "applied"),
        ("track", "id:42", "duplicate"),
        ("track", "anonymous_id:anon-1", "applied"),
        ("page", "id:42", "applied"),
        ("add_device", "id:42", "applied"),
        ("delete_device", "id:42", "applied"),
        ("suppress", "id:a b", "applied"),
        ("unsuppress", "id:a b", "applied"),
        ("destroy", "id:42", "applied"),
    ]
