"""Customer.io's own host names, led by a proxy to two local sandboxes that speak HTTPS."""

import ssl
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from pipeline.sandbox.server import TlsFiles
from tests.servers.connect_proxy import ConnectProxy
from tests.servers.sandbox import SandboxThread

US, EU = "track.customer.io:443", "track-eu.customer.io:443"


class Internet:
    """The hosts of both regions and the way to them: `environment` leads a program there."""

    def __init__(self, account_region: str, folder: Path) -> None:
        self._region = account_region
        self._stack = ExitStack()
        self._files = TlsFiles(folder / "chain.pem", folder / "key.pem")
        self._authority = trustme.CA()
        certificate = self._authority.issue_cert("track.customer.io", "track-eu.customer.io", "127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(self._files.certificate)
        certificate.private_key_pem.write_to_path(self._files.key)
        self._authority_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self._authority_file)

    def __enter__(self) -> Self:
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        self.us, self.eu = (
            self._stack.enter_context(SandboxThread(verify=context, region=self._region, tls=self._files))
            for _ in (US, EU)
        )
        routes = {US: ("127.0.0.1", _port(self.us)), EU: ("127.0.0.1", _port(self.eu))}
        self.proxy = self._stack.enter_context(ConnectProxy(routes))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def home(self) -> SandboxThread:
        """The host of the region where the account lives."""
        return self.us if self._region == "us" else self.eu

    @property
    def environment(self) -> dict[str, str]:
        """What leads a program through the proxy and lets it trust the hosts."""
        proxy = self.proxy.base_url
        return {"HTTPS_PROXY": proxy, "https_proxy": proxy, "SSL_CERT_FILE": str(self._authority_file)}


def _port(sandbox: SandboxThread) -> int:
    return int(sandbox.base_url.rpartition(":")[2])
