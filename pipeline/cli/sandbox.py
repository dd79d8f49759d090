"""`cio-pipeline sandbox`: a local Customer.io."""

import asyncio
import json
import signal
from pathlib import Path

import click

from pipeline.cli.garbage import collect_seldom
from pipeline.customerio.credentials import Credentials
from pipeline.errors import ExitStatus
from pipeline.sandbox.app import SandboxState
from pipeline.sandbox.faults import Fault, Faults, Refuse, read_fault
from pipeline.sandbox.server import SandboxService, TlsFiles
from pipeline.sandbox.storage import OperationFile
from pipeline.sandbox.workspace import Workspace

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT", help="Port 0 takes any."
)
@click.option(
    "--site-id", envvar="CIO_PIPELINE_SANDBOX_SITE_ID", help="With --api-key: take no other credentials."
)
@click.option("--api-key", envvar="CIO_PIPELINE_SANDBOX_API_KEY", help="The key that belongs to --site-id.")
@click.option(
    "--region", type=click.Choice(["us", "eu"]), default="us", show_default=True, help="Where it says it is."
)
@click.option("--fault", "faults", multiple=True, metavar="JSON", help="A fault in force from the start.")
@click.option(
    "--data", type=click.Path(dir_okay=False, path_type=Path), help="Keep everything in this SQLite file."
)
@click.option("--tls-certificate", type=_FILE, help="Speak HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The private key of --tls-certificate (PEM).")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Decides which requests shared faults strike."
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as one JSON object.")
def sandbox(
    *,
    listen: str,
    site_id: str | None,
    api_key: str | None,
    region: str,
    faults: tuple[str, ...],
    data: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    seed: int,
    as_json: bool,
) -> int:
    """Run a local Customer.io until told to stop.

    It takes the calls of the Track API, v1 and v2, keeps people and events in memory (or in a file, with --data),
    shows them at its address and answers questions about them under /_sandbox/. The first line on stdout says where.
    """
    if (site_id is None) != (api_key is None):
        raise click.UsageError("--site-id and --api-key belong together.")
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key belong together.")
    tls = TlsFiles(tls_certificate, tls_key) if tls_certificate is not None and tls_key is not None else None
    host, port = _address(listen)
    credentials = Credentials(site_id, api_key) if site_id is not None and api_key is not None else None
    state = SandboxState(
        Workspace(region, None if data is None else OperationFile(data)), Faults(seed), credentials
    )
    for text in faults:
        state.faults.set(_fault(text))
    service = SandboxService(state, host, port, tls)
    click.echo(
        json.dumps({"base_url": service.base_url}) if as_json else f"sandbox listening on {service.base_url}"
    )
    collect_seldom()
    return asyncio.run(_serve(service))


async def _serve(service: SandboxService) -> int:
    """Serve until a signal comes; return the exit status that says which."""
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        service.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    await service.serve()
    return ExitStatus.INTERRUPTED if signal.SIGINT in received else ExitStatus.TERMINATED


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65_535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--listen")
    return host.strip("[]") or "127.0.0.1", int(port)


def _fault(text: str) -> Fault:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(
            f"not JSON: {error.msg} at column {error.colno}", param_hint="--fault"
        ) from None
    fault = read_fault(document)
    if isinstance(fault, Refuse):
        raise click.BadParameter("refuse can only be set while the sandbox runs", param_hint="--fault")
    return fault
