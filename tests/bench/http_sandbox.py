"""How much the sandbox takes in a second of one core: `python -m tests.bench.http_sandbox`."""

from pathlib import Path

from pipeline.customerio.client import TrackClient
from pipeline.customerio.verdicts import DELIVERED
from tests.customerio_made import run_with_client, track
from tests.servers.sandbox import SandboxProcess

BATCHES, ITEMS, SINGLES, PEOPLE = 100, 1_000, 2_000, 5_000
TICKS_A_SECOND = 100


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process so far (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def event(number: int) -> bytes:
    return track(f"u{number % PEOPLE}", event_id=f"{number:026d}", a=1, b="text" * 10, n=number)


async def send_batches(client: TrackClient) -> None:
    for start in range(0, BATCHES * ITEMS, ITEMS):
        assert await client.send_batch([event(number) for number in range(start, start + ITEMS)]) == DELIVERED


async def send_singles(client: TrackClient) -> None:
    for number in range(SINGLES):
        assert await client.send_single(event(BATCHES * ITEMS + number)) == DELIVERED


def main() -> None:
    with SandboxProcess() as sandbox:
        for name, send, count in (
            ("v2 operations", send_batches, BATCHES * ITEMS),
            ("v1 requests", send_singles, SINGLES),
        ):
            before = cpu_seconds(sandbox.process.pid)
            run_with_client(sandbox.base_url, send)
            taken = cpu_seconds(sandbox.process.pid) - before
            print(f"{count / taken:9,.0f} {name} a second of CPU")


if __name__ == "__main__":
    main()
