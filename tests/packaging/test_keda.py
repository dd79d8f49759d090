"""docker/kubernetes/overlays/keda: valid by the schema of KEDA's own types, as a package of the npm registry has it."""

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.requirements import missing

PROJECT = Path(__file__).parents[2]
OBJECT = PROJECT / "docker/kubernetes/overlays/keda/scaled-object.yaml"
SCRIPT = Path(__file__).with_name("keda_schema.mjs")
PACKAGE = "@kubernetes-models/keda@2.0.0"
MODULES = PROJECT / ".cache" / "keda"
MODELS = MODULES / "node_modules/@kubernetes-models/keda/keda.sh/v1alpha1"

pytestmark = pytest.mark.full


@pytest.fixture(scope="module", autouse=True)
def _schema() -> None:
    """Install the schema where it is not yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("there is no Node.js with npm")
    if not MODELS.exists():
        MODULES.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-save", "--prefix", str(MODULES), PACKAGE]
        if subprocess.run(command, check=False, capture_output=True, timeout=180).returncode != 0:
            missing(f"{PACKAGE} cannot be installed")


def refusals(*documents: dict[str, Any]) -> list[str | None]:
    """What the schema has against each document, None for nothing."""
    done = subprocess.run(
        ["node", SCRIPT, MODELS],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


def scaled_object(**spec: Any) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(yaml.safe_load(OBJECT.read_text("utf-8")))
    document["spec"].update(spec)
    return document


def known(model: str) -> set[str]:
    """The fields of one of KEDA's types."""
    return set(re.findall(r'^ {4}"(\w+)"\??:', (MODELS / f"{model}.d.ts").read_text("utf-8"), re.MULTILINE))


def test_the_object_is_valid_by_kedas_schema() -> None:
    assert refusals(scaled_object()) == [None]


def test_the_schema_tells_what_is_wrong() -> None:
    assert refusals(
        scaled_object(maxReplicaCount="six"),
        scaled_object(triggers=[{"type": "kafka", "metadata": {"lagThreshold": 5}}]),
    ) == [
        "data/spec/maxReplicaCount must be integer",
        "data/spec/triggers/0/metadata/lagThreshold must be string",
    ]


def test_every_field_is_one_of_kedas() -> None:
    spec = scaled_object()["spec"]
    assert set(spec) <= known("ScaledObjectSpec")
    assert set(spec["scaleTargetRef"]) <= known("ScaleTarget")
    for trigger in spec["triggers"]:
        assert set(trigger) <= known("ScaleTriggers")
