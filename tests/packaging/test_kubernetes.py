"""docker/kubernetes/: valid by Kubernetes' schemas, and true to the program."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.cli.admin_page import access_of
from pipeline.cli.commands import COMMANDS
from pipeline.config import Settings, load_settings

PROJECT = Path(__file__).parents[2]
BASE = PROJECT / "docker/kubernetes/base"
KEDA = PROJECT / "docker/kubernetes/overlays/keda"


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return content


KUSTOMIZATION = read(BASE / "kustomization.yaml")
WORKLOAD = read(BASE / "statefulset.yaml")["spec"]
POD = WORKLOAD["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The configuration, laid out as the volumes lay it out."""
    shutil.copy(BASE / "pipeline.yaml", tmp_path)
    shutil.copytree(BASE / "mappings", tmp_path / "mappings")
    return load_settings(tmp_path / "pipeline.yaml", {})


@pytest.mark.parametrize("name", KUSTOMIZATION["resources"])
def test_an_object_is_valid_by_the_schema_of_its_kind(name: str) -> None:
    kubernetes_validate.validate(read(BASE / name), "1.34", strict=True)


def test_every_file_of_the_folder_is_used() -> None:
    generated = {
        name.rpartition("=")[2]
        for generator in KUSTOMIZATION["configMapGenerator"]
        for name in generator["files"]
    }
    used = {*KUSTOMIZATION["resources"], *generated, "kustomization.yaml"}
    assert used == {str(file.relative_to(BASE)) for file in BASE.rglob("*") if file.is_file()}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", [BASE, KEDA], ids=["base", "keda"])
def test_kustomize_builds_it_and_what_it_builds_is_valid(folder: Path) -> None:
    built = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    kinds = {item["kind"] for item in objects}
    assert kinds >= {"ConfigMap", "StatefulSet", "Service", "PodDisruptionBudget"}
    for item in objects:
        if item["kind"] != "ScaledObject":
            kubernetes_validate.validate(item, "1.34", strict=True)
    maps = {item["metadata"]["name"] for item in objects if item["kind"] == "ConfigMap"}
    (workload,) = [item for item in objects if item["kind"] == "StatefulSet"]
    mounted = {
        volume["configMap"]["name"]
        for volume in workload["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    }
    assert mounted == maps


def test_the_configuration_is_complete_and_its_mapping_is_mounted_where_it_looks(settings: Settings) -> None:
    assert all(file.exists() for file in settings.mapping.files)
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert CONTAINER["args"][0] in COMMANDS
    assert CONTAINER["args"][-1] == f"{mounts['configuration']}/pipeline.yaml"
    assert mounts["mappings"] == f"{mounts['configuration']}/mappings"
    assert settings.deadletters.file.is_relative_to(mounts["state"])
    for file in (
        settings.customerio.site_id_file,
        settings.customerio.api_key_file,
        settings.admin.token_file,
    ):
        assert file is not None
        assert file.is_relative_to(mounts["secrets"])


def test_the_example_mapping_is_the_one_that_init_writes() -> None:
    template = PROJECT / "pipeline/cli/templates/mappings/first.yaml"
    assert (BASE / "mappings/first.yaml").read_bytes() == template.read_bytes()


def test_a_pod_gets_more_time_to_stop_than_it_may_need(settings: Settings) -> None:
    assert POD["terminationGracePeriodSeconds"] > settings.delivery.drain_deadline_seconds + 5


def test_the_page_asks_for_a_token_and_shows_no_data(settings: Settings, tmp_path: Path) -> None:
    token = tmp_path / "admin-token"
    token.write_text("0123456789abcdef")
    admin = settings.admin.model_copy(update={"token_file": token})
    access = access_of(settings.model_copy(update={"admin": admin}))
    assert access.token is not None
    assert access.payloads is False


def test_the_probes_ask_the_admin_address(settings: Settings) -> None:
    (port,) = CONTAINER["ports"]
    assert settings.admin.listen == f"0.0.0.0:{port['containerPort']}"
    assert CONTAINER["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert CONTAINER["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}


def test_a_pod_may_do_nothing_it_does_not_need() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_it_scales_on_the_lag_of_the_group_and_topic_that_it_reads(settings: Settings) -> None:
    (trigger,) = read(KEDA / "scaled-object.yaml")["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == settings.kafka.group_id
    assert (trigger["metadata"]["topic"],) == settings.kafka.topics
    assert trigger["metadata"]["bootstrapServers"] == settings.kafka.bootstrap_servers
