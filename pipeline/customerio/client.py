"""The client of the Track API: every attempt ends in a verdict, whatever happens on the wire."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import structlog

from pipeline import __version__
from pipeline.customerio.credentials import Credentials, CredentialSource
from pipeline.customerio.failures import failure_verdict
from pipeline.customerio.raw import RawRequest, raw_request_of
from pipeline.customerio.requests import REGION_PATH, HttpRequest, NoV1Request, batch_request, v1_request
from pipeline.customerio.responses import batch_verdict, raw_verdict
from pipeline.customerio.sizes import is_raw, travels_alone
from pipeline.customerio.transport import AiohttpTransport
from pipeline.customerio.verdicts import Fatal, Refusal, Refused, Retry, Verdict

_log = structlog.get_logger(__name__)

USER_AGENT = f"cio-pipeline/{__version__}"

_JSON = {"content-type": "application/json"}
_OURS = {"user-agent": USER_AGENT, "accept-encoding": "identity"}

MAX_ANSWER_BYTES = 4 << 20
"""The largest answer that is read; a batch of which every item is refused is answered with much less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TrackClient:
    """Sends requests to one base URL, within one event loop. Methods may run concurrently."""

    def __init__(
        self,
        credentials: CredentialSource,
        base_url: str,
        *,
        deadline_s: float = 30.0,
        max_connections: int = 16,
        always_v1: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nothing is sent yet.

        `deadline_s` bounds a whole attempt, from waiting for a connection to the last byte. With `always_v1` every
        operation goes by v1, one a request. `now` gives Unix time.
        """
        self._credentials_source = credentials
        self._credentials = credentials()
        self._base_url = base_url.rstrip("/")
        self._deadline_s = deadline_s
        self._always_v1 = always_v1
        self._now = now
        self._transport = transport or AiohttpTransport(max_connections)

    async def send_batch(self, payloads: Sequence[bytes]) -> Verdict:
        """Send encoded operations as one v2 batch; one that cannot be in a batch, alone, in the way that takes it."""
        if len(payloads) == 1 and (self._always_v1 or travels_alone(payloads[0])):
            return await self.send_single(payloads[0])
        return await self._send(batch_request(payloads), len(payloads))

    async def send_single(self, payload: bytes) -> Verdict:
        """Send one encoded operation by v1 (an event too large for v2, or any in `api: v1` mode), or a raw request."""
        if is_raw(payload):
            raw = raw_request_of(payload)
            return Refused((Refusal(raw),)) if isinstance(raw, str) else await self._send_raw_call(raw)
        request = v1_request(orjson.loads(payload))
        if isinstance(request, NoV1Request):
            return Refused((Refusal(request.text),))
        return await self._send(request, 1)

    async def send_raw(self, raw: RawRequest) -> tuple[Verdict, Answer | None]:
        """Make one attempt at a raw request; its own timeout stands in for the deadline. Its retries are not made."""
        try:
            request = self._built(raw)
        except (ValueError, httpx.InvalidURL) as error:  # not as trouble on the wire: it will never be one
            return Refused((Refusal(f"no HTTP request can be made of it ({type(error).__name__})"),)), None

        def authorised(authorization: str) -> httpx.Request:
            request.headers["authorization"] = authorization
            return request

        answer = await self._exchange_authorised(authorised, raw.timeout_seconds or self._deadline_s)
        if not isinstance(answer, Answer):
            return answer, None
        return raw_verdict(answer.status, answer.headers, answer.body, self._now()), answer

    async def ask_region(self) -> str | Retry | Fatal:
        """Ask in which region the account lives: `us` or `eu`, or what kept us from knowing."""
        answer = await self.exchange(HttpRequest("GET", REGION_PATH))
        if not isinstance(answer, Answer):
            return answer
        verdict = batch_verdict(answer.status, answer.headers, answer.body, 1, self._now())
        if isinstance(verdict, Retry | Fatal):
            return verdict
        try:
            region = orjson.loads(answer.body)["region"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            region = None
        if answer.status == 200 and region in {"us", "eu"}:
            return str(region)
        advice = "check customerio.base_url and any proxy"
        return Fatal("the answer does not tell the region", advice, answer.status)

    async def exchange(self, request: HttpRequest) -> Answer | Retry:
        """Make one request, and after a 401 another one if the credentials have changed since."""
        url = self._base_url + request.path
        return await self._exchange_authorised(
            lambda authorization: httpx.Request(
                request.method,
                url,
                content=request.body,
                headers={**_JSON, **_OURS, "authorization": authorization},
            ),
            self._deadline_s,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def _built(self, raw: RawRequest) -> httpx.Request:
        body = raw.json_body()
        return httpx.Request(
            raw.method,
            f"{self._base_url}/api{raw.path}",
            params=raw.query or None,
            content=body,
            **_multipart(raw),
            headers={**(_JSON if body is not None else {}), **dict(raw.headers), **_OURS},
        )

    async def _send_raw_call(self, raw: RawRequest) -> Verdict:
        verdict, answer = await self.send_raw(raw)
        if raw.debug:
            _log.info("raw_request", **raw.described(), status=None if answer is None else answer.status)
        return verdict

    async def _send(self, request: HttpRequest, operations: int) -> Verdict:
        answer = await self.exchange(request)
        if not isinstance(answer, Answer):
            return answer
        return batch_verdict(answer.status, answer.headers, answer.body, operations, self._now())

    async def _exchange_authorised(
        self, build: Callable[[str], httpx.Request], deadline_s: float
    ) -> Answer | Retry:
        used = self._credentials
        answer = await self._attempt(build, used, deadline_s)
        if isinstance(answer, Answer) and answer.status == 401 and self._renewed(used):
            return await self._attempt(build, self._credentials, deadline_s)
        return answer

    async def _attempt(
        self, build: Callable[[str], httpx.Request], credentials: Credentials, deadline_s: float
    ) -> Answer | Retry:
        try:
            async with asyncio.timeout(deadline_s):
                return await self._exchange(build(credentials.authorization))
        except Exception as error:  # whatever a transport leaks must not end the sender
            return failure_verdict(error)

    async def _exchange(self, request: httpx.Request) -> Answer | Retry:
        response = await self._transport.handle_async_request(request)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    return Retry("the answer is too large to be Customer.io's", outcome_unknown=True)
            return Answer(response.status_code, dict(response.headers), bytes(body))
        finally:
            await response.aclose()

    def _renewed(self, used: Credentials) -> bool:
        """Read the credentials again after `used` were refused; tell whether others are there now."""
        if self._credentials is used:
            try:
                self._credentials = self._credentials_source()
            except Exception:  # an unreadable secret file leaves the old credentials and their 401
                return False
        return self._credentials != used


def _multipart(raw: RawRequest) -> dict[str, Any]:
    """Return form fields and files in httpx's words: fields alone are multipart too, as the connector sends them."""
    if not raw.form and not raw.files:
        return {}
    fields: list[tuple[str, Any]] = [(name, (None, value)) for name, value in raw.form]
    return {"files": fields + [(file.field, (file.name, file.content)) for file in raw.files]}
