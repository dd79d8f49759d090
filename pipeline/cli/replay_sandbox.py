"""Whether there is a sandbox at an address, before a replay without guards sends anything there."""

import json

from pipeline.cli.asking import ask_directly
from pipeline.errors import ConfigurationError

_ASK_TIMEOUT_S = 10.0


def takes_any_credentials(base_url: str) -> bool:
    """Ask the sandbox at an address, without credentials, whether it takes whichever come.

    Raises:
        ConfigurationError: no sandbox answers there.
    """
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"--to-sandbox {base_url}: write http:// or https:// and a host")
    try:
        counts = ask_directly(f"{base_url.rstrip('/')}/_sandbox/counts", timeout_s=_ASK_TIMEOUT_S)
        return bool(json.loads(counts)["any_credentials"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigurationError(
            f"--to-sandbox {base_url}: no sandbox answers there, and nothing was sent; is `cio-pipeline sandbox`"
            " running at that address? What is sent to a sandbox passes no guard, so it goes nowhere else"
        ) from None
