"""The client of a Confluent-compatible schema registry: three requests of its API.

An answer counts as "no such schema" only when it carries the registry's own error code; any other 404 is a wrong
address, and must not send a topic to the dead letters.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from pipeline.decode.schemas import Schema, SchemaKind
from pipeline.errors import PipelineError
from pipeline.registry.answers import NoSchema, Trouble

BasicAuth = Callable[[], tuple[str, str]]
"""Gives user name and password, asked for each request, so that a rotated password is picked up."""

_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403})
_MAX_REFERENCES = 500
_CHECK_ADDRESS = "check decode.registry.url"


class RegistryClient:
    """Asks one registry. One thread owns it. Environment variables for proxies are followed."""

    def __init__(
        self,
        url: str,
        *,
        auth: BasicAuth | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._auth = auth
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=timeout_s,
            headers={"accept": _ACCEPT},
            verify=ssl.create_default_context(cafile=str(ca_file)) if ca_file is not None else True,
        )

    def schema(self, schema_id: int) -> Schema | NoSchema | Trouble:
        """Return a schema with everything it refers to."""
        answer = self._get(f"/schemas/ids/{schema_id}")
        if isinstance(answer, NoSchema):
            return NoSchema(f"the schema registry has no schema {schema_id}")
        if isinstance(answer, Trouble):
            return answer
        try:
            kind = SchemaKind(answer.get("schemaType") or "AVRO")
        except ValueError:
            return NoSchema(f"schema {schema_id} is of a kind that is not known here")
        references: dict[str, str] = {}
        trouble = self._collect(answer, references, set())
        if trouble is not None:
            return trouble
        return Schema(kind, answer["schema"], references)

    def check(self) -> Trouble | None:
        """Ask whether the registry answers; return what keeps it from that, None when nothing does."""
        answer = self._ask("/schemas/types")
        if isinstance(answer, Trouble):
            return answer
        return None if answer.status_code == 200 else _trouble(answer)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _collect(
        self, answer: dict[str, Any], references: dict[str, str], seen: set[tuple[str, int]]
    ) -> NoSchema | Trouble | None:
        """Gather what a schema refers to, the deepest first."""
        for reference in answer.get("references") or ():
            name, subject, version = reference["name"], reference["subject"], reference["version"]
            if (name, version) in seen:
                continue
            seen.add((name, version))
            if len(seen) > _MAX_REFERENCES:
                return NoSchema(f"its schema has more than {_MAX_REFERENCES} references")
            found = self._get(f"/subjects/{quote(subject, safe='')}/versions/{int(version)}")
            if isinstance(found, NoSchema):
                return NoSchema("its schema refers to one that the schema registry does not have")
            trouble = found if isinstance(found, Trouble) else self._collect(found, references, seen)
            if trouble is not None:
                return trouble
            assert isinstance(found, dict)
            references[name] = found["schema"]
        return None

    def _get(self, path: str) -> dict[str, Any] | NoSchema | Trouble:
        answer = self._ask(path)
        if isinstance(answer, Trouble):
            return answer
        document = _object(answer)
        if answer.status_code == 404 and document.get("error_code") in _NOT_FOUND_CODES:
            return NoSchema("")
        if answer.status_code == 200 and isinstance(document.get("schema"), str):
            return document
        return _trouble(answer)

    def _ask(self, path: str) -> httpx.Response | Trouble:
        try:
            return self._client.get(path, auth=self._auth() if self._auth is not None else None)
        except httpx.ConnectError:
            return Trouble("the schema registry cannot be reached")
        except httpx.TimeoutException:
            return Trouble("the schema registry does not answer in time")
        except PipelineError as error:  # a secret that cannot be read
            return Trouble(str(error))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Trouble(f"the schema registry cannot be asked ({type(error).__name__}); {_CHECK_ADDRESS}")


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _trouble(answer: httpx.Response) -> Trouble:
    status = answer.status_code
    if status in {401, 403}:
        return Trouble(
            f"the schema registry refuses the credentials (status {status});"
            " set decode.registry.username and decode.registry.password"
        )
    if status == 429 or status >= 500:
        return Trouble(f"the schema registry fails (status {status})")
    return Trouble(f"the answer is not a schema registry's (status {status}); {_CHECK_ADDRESS}")
