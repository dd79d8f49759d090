"""Functions that hide what a value is."""

import hashlib
import hmac
from functools import partial

from pipeline.mapping.expression.functions.registry import Example, define

_define = partial(define, group="Hashes")


@_define(
    "sha256(text) -> text",
    "The SHA-256 of a text in hexadecimal. Anyone can try likely e-mails against it: prefer hmac_sha256.",
    Example("sha256('a')", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    parameters=["string"],
)
def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@_define(
    "hmac_sha256(text, key) -> text",
    "The HMAC-SHA-256 of a text in hexadecimal; take the key from the environment with env().",
    Example("hmac_sha256('a', 'k')", "78da91511e675587f5b9df78bedebaf5560da2abb88162ee875dcdf744951d9e"),
    parameters=["string", "string"],
)
def _hmac_sha256(text: str, key: str) -> str:
    return hmac.new(
        key.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()
