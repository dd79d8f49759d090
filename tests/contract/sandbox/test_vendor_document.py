"""The vendor's OpenAPI document drives the sandbox: every documented operation, with good data and bad.

The document says less than the API does in places, and more in others. Where the sandbox knowingly differs, the table
below says so and why; anything else is a failure.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.servers.sandbox import API_KEY, SITE_ID, SandboxThread

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

DOCUMENT = Path(__file__).parents[4] / "shared" / "data" / "customerio-track-openapi.json"

UNDOCUMENTED_STATUSES = {
    # Attributes over their limits are refused: the page "Invalid API requests" shows it, the document does not.
    ("PUT", "/api/v1/customers/{identifier}"): {400},
    # These ask for credentials in the document and then list no 401.
    ("POST", "/api/v1/forms/{form_id}/submit"): {401},
    # An identifier of more than 150 bytes, which the document allows in a path and forbids in its text.
    ("DELETE", "/api/v1/customers/{identifier}"): {400},
    ("POST", "/api/v1/customers/{identifier}/suppress"): {400},
    ("POST", "/api/v1/customers/{identifier}/unsuppress"): {400},
    # A body that is no JSON object.
    ("POST", "/api/v1/metrics"): {400},
    ("POST", "/api/v1/push/events"): {400},
}

NOT_ROUTED = {404, 405}
"""An identifier that is empty or has a raw slash makes another path, also at Customer.io."""

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not DOCUMENT.exists(), reason="the vendor's document is not here: ../shared/data"),
    pytest.mark.filterwarnings("ignore"),  # of schemathesis and of what it brings
]


def operations() -> list[Any]:
    """Every operation of the document."""
    if not DOCUMENT.exists():
        return []
    schema = schemathesis.openapi.from_dict(_mended(orjson.loads(DOCUMENT.read_bytes())))
    return [result.ok() for result in schema.get_all_operations()]


def _mended(document: dict[str, Any]) -> dict[str, Any]:
    """Make the path's identifier possible: its three kinds are all plain texts, so that never exactly one fits."""
    for parameter in document["components"]["parameters"].values():
        schema = parameter.get("schema", {})
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")
    return document


def name(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


def send(sandbox: SandboxThread, case: Any, *, authorised: bool = True) -> Any:
    auth = (SITE_ID, API_KEY) if authorised else None
    return case.call(base_url=sandbox.base_url, auth=auth)


def examples(operation: Any, mode: str, count: int) -> list[Any]:
    """Generate cases, the same ones in every run."""
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415 - only with schemathesis

    generation = getattr(schemathesis.GenerationMode, mode)
    cases: list[Any] = []

    @seed(1)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=generation))
    def collect(case: Any) -> None:
        cases.append(case)

    collect()
    return cases


def documented(operation: Any) -> set[int]:
    statuses = {int(status) for status in operation.definition.raw["responses"]}
    return statuses | UNDOCUMENTED_STATUSES.get((operation.method.upper(), operation.path), set())


def test_every_operation_of_the_document_is_known() -> None:
    assert len(operations()) == 18


@pytest.mark.parametrize("operation", operations(), ids=name)
def test_good_data_gets_a_documented_answer(operation: Any, sandbox: SandboxThread) -> None:
    for case in examples(operation, "POSITIVE", 15):
        response = send(sandbox, case)
        assert response.status_code in documented(operation) | NOT_ROUTED, response.text


@pytest.mark.parametrize("operation", operations(), ids=name)
def test_bad_data_gets_a_documented_answer(operation: Any, sandbox: SandboxThread) -> None:
    for case in examples(operation, "NEGATIVE", 15):
        response = send(sandbox, case)
        assert response.status_code in documented(operation) | NOT_ROUTED | {400}, response.text


@pytest.mark.parametrize("operation", operations(), ids=name)
def test_credentials_are_asked_for_where_the_document_says_so(operation: Any, sandbox: SandboxThread) -> None:
    secured = bool(operation.definition.raw.get("security"))
    (case, *_) = examples(operation, "POSITIVE", 5)
    status = send(sandbox, case, authorised=False).status_code
    assert (status == 401) == secured or status in NOT_ROUTED


@pytest.mark.parametrize("operation", operations(), ids=name)
def test_the_documents_own_examples_are_accepted(operation: Any, sandbox: SandboxThread) -> None:
    media = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
    shown = [entry["value"] for entry in media.get("examples", {}).values() if "value" in entry]
    for body in shown:
        case = operation.Case(
            path_parameters={
                "identifier": "42",
                "device_id": "d",
                "segment_id": 7,
                "form_id": "f",
                "delivery_id": "x",
            },
            body=body,
            media_type="application/json",
        )
        response = send(sandbox, case)
        assert response.status_code in {200, 204, 207}, response.text
