"""The embedded broker as a process of its own: `python -m pipeline.kafka.embedded_server`.

One JSON object a line on standard input, `{"do": "create_topic", "with": ["events", 6]}`, and one a line
back,
`{"ok": ...}` or `{"error": "..."}`. The first line out tells the addresses. It ends when its input ends, so
that it cannot outlive whoever started it.
"""

import sys

import orjson

from pipeline.errors import PipelineError
from pipeline.kafka.embedded import EmbeddedBroker

ACTIONS = frozenset(
    {
        "create_topic",
        "delete_topic",
        "set_topic_error",
        "delete_records",
        "set_down",
        "set_up",
        "set_delay_ms",
        "push_errors",
        "clear_errors",
        "track_requests",
        "count_requests",
    }
)


def answer(broker: EmbeddedBroker, line: bytes) -> dict[str, object]:
    """Carry out one line and return what is said back."""
    try:
        command = orjson.loads(line)
        action, arguments = command["do"], command.get("with", [])
        if action not in ACTIONS:
            return {"error": f"no action {action}"}
        return {"ok": getattr(broker, action)(*arguments)}
    except (PipelineError, ValueError, TypeError, KeyError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _say(message: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


def main(brokers: int) -> int:
    """Serve until standard input ends; return the exit status."""
    try:
        broker = EmbeddedBroker(brokers)
    except PipelineError as error:
        _say({"error": str(error)})
        return 1
    with broker:
        _say({"ok": broker.bootstrap_servers})
        for line in sys.stdin.buffer:
            _say(answer(broker, line))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
