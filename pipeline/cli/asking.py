"""Asks an HTTP address that is near: a pipeline, a worker, a sandbox."""

import urllib.request
from http.client import HTTPException

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows no loopback of ours


def ask_directly(url: str, *, timeout_s: float, token: str | None = None) -> bytes:
    """Return what an address answers, past any proxy of the environment; `token` is shown as a bearer's.

    Raises:
        OSError: nobody answers in time; as an `HTTPError`, the answer's status is an error.
        ValueError: the address is none, or what answers there does not speak HTTP.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the operator says where
    try:
        with _DIRECTLY.open(request, timeout=timeout_s) as answer:
            body: bytes = answer.read()
            return body
    except HTTPException as error:
        raise ValueError(f"no answer in HTTP ({type(error).__name__})") from None
