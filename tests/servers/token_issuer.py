"""An issuer of OAuth tokens (OpenID Connect, client credentials) on loopback: tokens signed with a key of its own."""

import json
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "machine", "machines-secret"
AUDIENCE = "kafka"


class TokenIssuer(ThreadingHTTPServer):
    """Gives a token to the client that knows its secret; `keys` is the file that lets a broker check it.

    While it `is_broken` it refuses everybody. (An issuer that answers 5xx is asked again and again by the client, which
    tells of it only after 50 seconds.)
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._key = RSAKey.generate_key(2048, {"kid": "test", "alg": "RS256", "use": "sig"})
        self.keys = folder / "jwks.json"
        self.keys.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))
        self.is_broken = False
        self.token_url = f"http://127.0.0.1:{self.server_port}/token"

    def answer(self, authorization: str) -> tuple[int, dict[str, str | int]]:
        """Return the status and the document for whoever has these credentials."""
        if self.is_broken:
            return 400, {"error": "server_error"}
        if authorization != f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}":
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {"sub": CLIENT, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "pipeline"}
        token = jwt.encode({"alg": "RS256", "kid": "test", "typ": "JWT"}, claims, self._key)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600}


class _Handler(BaseHTTPRequestHandler):
    server: TokenIssuer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        status, document = self.server.answer(self.headers.get("authorization", ""))
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
