"""Bad input on the real command line: one clear sentence, where, what to do, the right exit status, no traceback."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus
from tests.servers.embedded import EmbeddedBrokerProcess
from tests.servers.ports import free_ports
from tests.unit.cli.program import Program

MAPPING = """\
version: 1
defaults: {id: "${user.id}", timestamp: "${epoch(at)}"}
rules:
  - name: signup
    when: type == 'user.created'
    identify: {}
"""

Start = Callable[..., Program]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a complete configuration, whose broker nobody listens for."""
    (port,) = free_ports(1)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "pipeline.yaml").write_text(
        f"""\
kafka:
  bootstrap_servers: 127.0.0.1:{port}
  topics: shop
customerio:
  site_id: site-1
  api_key: key-1
  base_url: http://127.0.0.1:9
admin:
  listen: 127.0.0.1:0
"""
    )
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start the program in that folder."""
    with ExitStack() as programs:
        yield lambda *arguments, **environ: programs.enter_context(
            Program(arguments or ("run",), folder, environ)
        )


def refused(program: Program, status: ExitStatus = ExitStatus.USAGE) -> list[str]:
    """Return what the program says when it refuses to start: short, and never a traceback."""
    assert program.wait() == status, program.error_text
    assert "Traceback" not in program.error_text
    assert "this is a bug" not in program.error_text
    assert "key-1" not in program.error_text
    return [line.rstrip("\n") for line in program.errors if "error" in line.lower()]


def test_a_missing_file_says_how_to_get_one(start: Start) -> None:
    assert refused(start("run", "--config", "shop.yaml")) == [
        "shop.yaml: error: there is no such file; write one with `cio-pipeline init`, or name another with --config"
    ]


def test_bad_syntax_is_pointed_at(start: Start, folder: Path) -> None:
    (folder / "pipeline.yaml").write_text("kafka:\n  topics: [shop\ncustomerio:\n")
    (line,) = refused(start())
    assert line.startswith("pipeline.yaml:3:")


def test_an_unknown_key_comes_with_the_one_that_was_meant(start: Start, folder: Path) -> None:
    text = (folder / "pipeline.yaml").read_text().replace("topics:", "topic:")
    (folder / "pipeline.yaml").write_text(text)
    assert refused(start()) == [
        "pipeline.yaml:1:1: error: 'kafka.topics' is missing; set it here or as CIO_PIPELINE__KAFKA__TOPICS",
        "pipeline.yaml:3:3: error: unknown key 'topic': did you mean 'topics'?",
    ]


def test_a_wrong_type_says_what_is_wanted(start: Start, folder: Path) -> None:
    with (folder / "pipeline.yaml").open("a") as file:
        file.write("delivery: {linger_milliseconds: fast}\n")
    assert refused(start()) == [
        "pipeline.yaml:10:33: error: 'linger_milliseconds': input should be a valid integer"
    ]


def test_missing_credentials_say_every_way_to_give_them(start: Start, folder: Path) -> None:
    text = (folder / "pipeline.yaml").read_text().replace("  api_key: key-1\n", "")
    (folder / "pipeline.yaml").write_text(text)
    assert refused(start()) == [
        "pipeline.yaml:4:1: error: the API key is missing; set CIO_PIPELINE__CUSTOMERIO__API_KEY, or name a file that"
        " holds it in 'customerio.api_key_file' or CIO_PIPELINE__CUSTOMERIO__API_KEY_FILE"
    ]


def test_a_secret_file_that_cannot_be_read_is_named(start: Start, folder: Path) -> None:
    text = (folder / "pipeline.yaml").read_text().replace("api_key: key-1", "api_key_file: no-such-file")
    (folder / "pipeline.yaml").write_text(text)
    assert refused(start()) == [
        f"Error: {folder}/no-such-file: cannot read the secret: No such file or directory"
    ]


@pytest.mark.parametrize(
    ("mapping", "place", "words"),
    [
        (MAPPING.replace("identify", "identifi"), "6:5", "identify"),
        (MAPPING.replace("type ==", "type = "), "5:", "="),
        (MAPPING + MAPPING.partition("rules:\n")[2], "7:", "signup"),
        (MAPPING.replace("${user.id}", "${user.id"), "2:17", "never closed"),
    ],
    ids=["unknown call", "bad condition", "duplicate rule name", "bad expression"],
)
def test_a_mapping_that_cannot_be_used_is_pointed_at(
    start: Start, folder: Path, mapping: str, place: str, words: str
) -> None:
    (folder / "mapping.yaml").write_text(mapping)
    lines = refused(start())
    assert any(line.startswith(f"{folder}/mapping.yaml:{place}") and words in line for line in lines), lines


def test_a_missing_mapping_file_is_named(start: Start, folder: Path) -> None:
    (folder / "mapping.yaml").unlink()
    (line,) = refused(start())
    assert line.startswith(f"{folder}/mapping.yaml: error: cannot read the file: No such file or directory")


def test_a_port_in_use_is_named_with_what_to_do(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        program = start("run", CIO_PIPELINE__ADMIN__LISTEN=listen)
        (line,) = refused(program)
    assert line == (
        f"Error: admin.listen: {listen} is in use by another program; end that one, choose another port, or set"
        " admin.listen to off"
    )


def test_a_dead_letter_file_that_cannot_be_written_is_found_before_the_first_record(
    start: Start, folder: Path
) -> None:
    (folder / "letters").write_text("a file where a folder should be")
    program = start("run", CIO_PIPELINE__DEADLETTERS__FILE="letters/dead.jsonl")
    (line,) = refused(program)
    assert f"{folder}/letters/dead.jsonl" in line


def test_a_broker_that_cannot_be_reached_is_named_and_tried_again(start: Start, folder: Path) -> None:
    program = start()
    line = program.wait_for("kafka_unreachable")
    address = (folder / "pipeline.yaml").read_text().split()[2]
    assert address in line["cause"]
    assert line["level"] == "warning"
    program.signal(signal.SIGTERM)
    assert program.wait() == ExitStatus.TERMINATED
    assert "Traceback" not in program.error_text


@pytest.mark.kafka
def test_a_missing_topic_is_named(start: Start, embedded_broker: EmbeddedBrokerProcess) -> None:
    embedded_broker.set_topic_error("nowhere", 3)
    program = start(
        "run",
        CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS=embedded_broker.bootstrap_servers,
        CIO_PIPELINE__KAFKA__TOPICS="nowhere",
    )
    (line,) = refused(program)
    assert "nowhere" in line


def test_an_interrupt_at_the_start_ends_at_once_and_says_so_by_its_status(start: Start) -> None:
    program = start()
    program.wait_for("started")
    program.signal(signal.SIGINT)
    assert program.wait() == ExitStatus.INTERRUPTED
    assert "Traceback" not in program.error_text


def test_a_second_signal_ends_at_once(start: Start) -> None:
    program = start()
    program.wait_for("started")
    program.signal(signal.SIGTERM)
    program.signal(signal.SIGTERM)
    assert program.wait() in {-signal.SIGTERM, ExitStatus.TERMINATED}
    assert "Traceback" not in program.error_text
