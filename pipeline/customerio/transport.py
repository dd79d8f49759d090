"""httpx's transport port over aiohttp: a fraction of the CPU of httpx's own one, and the rules that it has to keep.

Why this one: docs/decisions/0030. The rules, each with a wire test: the bytes of a path go out as they are given, a
request is never sent a second time behind our back, redirects are not followed, cookies are not kept, proxies and
certificate authorities come from the environment.
"""

import ssl
from collections.abc import AsyncIterator
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

KEEPALIVE_EXPIRY_S = 4.0
"""Idle connections are closed here before the server does it: a request on a closed one would be lost."""

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Carries requests within one event loop. It has no timeouts of its own: whoever awaits it sets a deadline."""

    def __init__(self, max_connections: int) -> None:
        """Prepare; connections belong to the loop of the first request."""
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._tls_context: ssl.SSLContext | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its answer as soon as the headers are there.

        Raises:
            httpx.ConnectError: there was no connection; nothing was sent.
            httpx.TransportError: anything else; the request may have arrived.
        """
        session = self._session = self._session or self._open()
        try:
            response = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread(),
                allow_redirects=False,
                proxy=self._proxy_for(request.url),
                ssl=self._tls() if request.url.scheme == "https" else True,
            )
        except _NEVER_SENT as error:
            raise httpx.ConnectError("no connection", request=request) from error
        except aiohttp.ClientError as error:
            raise httpx.TransportError("the exchange failed", request=request) from error
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _tls(self) -> ssl.SSLContext:
        """Return httpx's TLS settings: certifi's authorities, or those of the environment."""
        if self._tls_context is None:
            self._tls_context = httpx.create_ssl_context()
        return self._tls_context

    def _proxy_for(self, url: httpx.URL) -> str | None:
        """Return the environment's proxy for a host, looked up once.

        aiohttp's own `trust_env` reads the environment and a .netrc file, whose passwords are not ours, every time.
        """
        place = (url.scheme, url.host)
        if place not in self._proxies:
            self._proxies[place] = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
        return self._proxies[place]

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._max_connections,
            keepalive_timeout=KEEPALIVE_EXPIRY_S,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            skip_auto_headers=("Content-Type",),
        )
        # aiohttp sends PUT and DELETE a second time when a connection that was kept alive turns out to be closed. It
        # has no public switch for that; its own test client turns it off in this way.
        session._retry_connection = False
        return session


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it comes; what is left unread closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.ClientError as error:
            raise httpx.ReadError("the answer broke off") from error

    async def aclose(self) -> None:
        self._response.close()
