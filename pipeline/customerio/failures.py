"""What an exception of the HTTP client means: a retry, always, and whether the request may have been applied."""

import ssl

import httpx

from pipeline.customerio.verdicts import Retry

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection to Customer.io in time"),
    (httpx.PoolTimeout, "no connection to Customer.io was free in time"),
    (httpx.TimeoutException, "Customer.io did not answer in time"),
    (TimeoutError, "Customer.io did not answer in time"),
    (httpx.ProxyError, "the proxy refused the connection"),
    (httpx.UnsupportedProtocol, "the address of Customer.io or of a proxy is not an HTTP address"),
    (httpx.ConnectError, "no connection to Customer.io"),
    (
        httpx.RemoteProtocolError,
        "the answer broke the rules of HTTP, or the connection ended before it was whole",
    ),
    (httpx.NetworkError, "the connection to Customer.io broke"),
    (httpx.DecodingError, "the answer could not be decompressed"),
)


def failure_verdict(error: Exception) -> Retry:
    """Return the verdict of an attempt that ended in an exception, whatever its class.

    The cause names no address and quotes no exception: their texts may hold what was sent.
    """
    return Retry(cause=_cause(error), outcome_unknown=not isinstance(error, _NEVER_SENT))


def _cause(error: Exception) -> str:
    for found in _chain(error):
        if isinstance(found, ssl.SSLCertVerificationError):
            return "the certificate of the server is not trusted"
        if isinstance(found, ssl.SSLError):
            return "no secure connection to the server"
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    return f"the request failed ({type(error).__name__})"


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain
