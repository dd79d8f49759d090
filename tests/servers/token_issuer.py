"""An issuer of OAuth tokens (OpenID Connect, client credentials) on loopback: tokens signed with a key of its own."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "machine", "machines-secret"
AUDIENCE = "kafka"


class TokenIssuer:
    """Gives a token to the client that knows its secret; `keys` is the file that lets a broker check it.

    While it `is_broken` it refuses everybody. (An issuer that answers 5xx is asked again and again by the client, which
    tells of it only after 50 seconds.)
    """

    def __init__(self, folder: Path) -> None:
        self._key = RSAKey.generate_key(2048, {"kid": "test", "alg": "RS256", "use": "sig"})
        self.keys = folder / "jwks.json"
        self.keys.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))
        self.is_broken = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._answer))
        self._thread = Thread(target=self._server.serve_forever, name="token-issuer", daemon=True)
        self.token_url = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, authorization: str) -> tuple[int, dict[str, str | int]]:
        if self.is_broken:
            return 400, {"error": "server_error"}
        if authorization != f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}":
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {"sub": CLIENT, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "pipeline"}
        token = jwt.encode({"alg": "RS256", "kid": "test", "typ": "JWT"}, claims, self._key)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600}


def _handler(answer: Callable[[str], tuple[int, dict[str, str | int]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", "0")))
            status, document = answer(self.headers.get("authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
