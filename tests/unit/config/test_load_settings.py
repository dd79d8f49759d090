"""The configuration: what is taken from where, and what a person is told about everything that is wrong."""

from pathlib import Path

import pytest

from pipeline.config import Settings, load_settings
from pipeline.config.kafka import REFUSED_PROPERTIES
from pipeline.documents import DocumentError, Problem
from pipeline.errors import ConfigurationError, ExitStatus
from pipeline.kafka.options import KafkaOptions
from pipeline.kafka.settings import client_configuration

COMPLETE = """\
kafka:
  bootstrap_servers: kafka-1:9092
  topics: [shop, billing]
customerio:
  site_id: site-1
  api_key: key-1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(COMPLETE)
    return path


def problems(file: Path, **environ: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load_settings(file, environ)
    assert caught.value.exit_status == ExitStatus.USAGE
    return [str(problem).splitlines()[0].replace(f"{file.parent}/", "") for problem in caught.value.problems]


def settings(file: Path, extra: str = "", **environ: str) -> Settings:
    file.write_text(file.read_text() + extra)
    return load_settings(file, environ)


def test_addresses_and_secrets_are_all_that_is_needed(file: Path) -> None:
    loaded = settings(file)
    assert loaded.kafka.topics == ("shop", "billing")
    assert loaded.kafka.group_id == "cio-pipeline"
    assert loaded.customerio.site_id_secret.reveal() == "site-1"
    assert loaded.delivery.batch_max_bytes == 475_000
    assert loaded.delivery.retry.max_backoff_seconds == 60
    assert loaded.admin.listen == "127.0.0.1:9464"


def test_a_single_topic_or_mapping_file_needs_no_list(file: Path) -> None:
    file.write_text(COMPLETE.replace("[shop, billing]", "shop"))
    loaded = settings(file, "mapping: {files: rules.yaml}\n")
    assert loaded.kafka.topics == ("shop",)
    assert loaded.mapping.files == (file.parent / "rules.yaml",)


def test_relative_paths_are_taken_from_the_files_own_folder(file: Path) -> None:
    extra = "mapping: {files: [a.yaml, /etc/b.yaml]}\ndeadletters: {file: letters/dead.jsonl}\n"
    loaded = settings(file, extra)
    assert loaded.mapping.files == (file.parent / "a.yaml", Path("/etc/b.yaml"))
    assert loaded.deadletters.file == file.parent / "letters/dead.jsonl"


def test_the_environment_is_laid_over_the_file(file: Path) -> None:
    loaded = settings(
        file,
        CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS="other:9092",
        CIO_PIPELINE__KAFKA__TOPICS="one, two",
        CIO_PIPELINE__DELIVERY__RETRY__MAX_BACKOFF_SECONDS="5",
        CIO_PIPELINE__CUSTOMERIO__IDENTIFY_TIMESTAMP="false",
        CIO_PIPELINE__ADMIN__LISTEN="off",
        PATH="/usr/bin",
    )
    assert loaded.kafka.bootstrap_servers == "other:9092"
    assert loaded.kafka.topics == ("one", "two")
    assert loaded.delivery.retry.max_backoff_seconds == 5
    assert loaded.customerio.identify_timestamp is False
    assert loaded.admin.listen is None


def test_text_from_the_environment_stays_text_even_when_it_looks_like_a_number(file: Path) -> None:
    assert settings(file, CIO_PIPELINE__KAFKA__GROUP_ID="12").kafka.group_id == "12"


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("")
    loaded = settings(
        file,
        CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS="kafka:9092",
        CIO_PIPELINE__KAFKA__TOPICS="shop",
        CIO_PIPELINE__CUSTOMERIO__SITE_ID="s",
        CIO_PIPELINE__CUSTOMERIO__API_KEY="k",
    )
    assert loaded.customerio.api_key_secret.reveal() == "k"


def test_a_property_of_the_kafka_client_has_underscores_for_dots_in_its_variable(file: Path) -> None:
    loaded = settings(
        file,
        CIO_PIPELINE__KAFKA__PROPERTIES__SECURITY_PROTOCOL="SASL_SSL",
        CIO_PIPELINE__KAFKA__PROPERTIES__SASL_PASSWORD_FILE="/run/secrets/kafka",
    )
    assert loaded.kafka.properties == {"security.protocol": "SASL_SSL"}
    assert loaded.kafka.property_files == {"sasl.password": Path("/run/secrets/kafka")}


def test_a_secret_in_a_file_is_read_at_each_use(file: Path) -> None:
    file.write_text(COMPLETE.replace("api_key: key-1", "api_key_file: key"))
    (file.parent / "key").write_text("first\n")
    secret = settings(file).customerio.api_key_secret
    assert secret.reveal() == "first"
    (file.parent / "key").write_text("second\n")
    assert secret.reveal() == "second"


def test_properties_in_files_are_read_when_the_client_is_made(file: Path) -> None:
    loaded = settings(
        file,
        CIO_PIPELINE__KAFKA__PROPERTIES__SASL_USERNAME="shop",
        CIO_PIPELINE__KAFKA__PROPERTIES__SASL_PASSWORD_FILE="password",
    )
    with pytest.raises(
        ConfigurationError, match="password: cannot read the secret: No such file or directory"
    ):
        loaded.kafka.client_properties()
    (file.parent / "password").write_text("hunter2\n")
    assert loaded.kafka.client_properties() == {"sasl.username": "shop", "sasl.password": "hunter2"}


def test_no_repr_shows_a_secret(file: Path) -> None:
    loaded = settings(file, CIO_PIPELINE__KAFKA__PROPERTIES__SASL_PASSWORD="hunter2")
    for text in (repr(loaded), str(loaded), repr(loaded.customerio.api_key_secret), repr(loaded.kafka)):
        assert "key-1" not in text
        assert "site-1" not in text
        assert "hunter2" not in text


def test_settings_cannot_be_changed(file: Path) -> None:
    loaded = settings(file)
    with pytest.raises(ValueError, match="frozen"):
        loaded.kafka.group_id = "other"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("earliest", "earliest"), ("latest", "latest"), ("2026-01-31T08:00:00Z", "2026-01-31 08:00:00+00:00")],
)
def test_a_start_is_a_word_or_a_moment(file: Path, written: str, meant: str) -> None:
    assert str(settings(file, CIO_PIPELINE__KAFKA__START=written).kafka.start) == meant


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "pipeline.yaml")
    assert problem == (
        "pipeline.yaml: error: there is no such file; write one with `cio-pipeline init`, or name another with"
        " --config"
    )


def test_bad_syntax_is_pointed_at(file: Path) -> None:
    file.write_text("kafka:\n  topics: [shop\n")
    (problem,) = problems(file)
    assert problem.startswith("pipeline.yaml:3:1: error: ")


def test_a_file_that_is_no_sections_is_refused(file: Path) -> None:
    file.write_text("- shop\n")
    assert problems(file) == [
        "pipeline.yaml:1:1: error: the configuration must be sections with settings, such as 'kafka:'"
    ]


def test_every_problem_is_reported_at_once_with_its_place(file: Path) -> None:
    file.write_text(
        """\
kafka:
  bootstrap_server: localhost
  session_timeout_seconds: soon
  start: 2026-01-01
customerio:
  api_key: 12345
  region: uk
"""
    )
    found = problems(file, CIO_PIPELINE__KAFKA__TOPIC="x", CIO_PIPELINE__DELIVERY__LINGER_MILLISECONDS="fast")
    assert sorted(found) == [
        "environment variable CIO_PIPELINE__DELIVERY__LINGER_MILLISECONDS: error: 'linger_milliseconds': input should"
        " be a valid integer",
        "environment variable CIO_PIPELINE__KAFKA__TOPIC: error: unknown setting 'topic' in section 'kafka': did you"
        " mean 'topics'?",
        "pipeline.yaml:1:1: error: 'kafka.bootstrap_servers' is missing; set it here or as"
        " CIO_PIPELINE__KAFKA__BOOTSTRAP_SERVERS",
        "pipeline.yaml:1:1: error: 'kafka.topics' is missing; set it here or as CIO_PIPELINE__KAFKA__TOPICS",
        "pipeline.yaml:2:3: error: unknown key 'bootstrap_server': did you mean 'bootstrap_servers'?",
        "pipeline.yaml:3:28: error: 'session_timeout_seconds': input should be a valid number",
        "pipeline.yaml:4:10: error: 'start': a time needs its zone, for example 2026-01-31T08:00:00Z",
        "pipeline.yaml:5:1: error: the site id is missing; set CIO_PIPELINE__CUSTOMERIO__SITE_ID, or name a file that"
        " holds it in 'customerio.site_id_file' or CIO_PIPELINE__CUSTOMERIO__SITE_ID_FILE",
        "pipeline.yaml:6:12: error: 'api_key': input should be a valid string",
        "pipeline.yaml:7:11: error: 'region': input should be 'us', 'eu' or 'auto'",
    ]


def test_no_problem_shows_a_secret(file: Path) -> None:
    file.write_text(COMPLETE.replace("api_key: key-1", "api_key: [key-1]\n  api_keys: key-1"))
    with pytest.raises(DocumentError) as caught:
        load_settings(file, {"CIO_PIPELINE__CUSTOMERIO__SITE_ID": ""})
    assert "key-1" not in str(caught.value)


def test_a_secret_given_twice_is_refused(file: Path) -> None:
    assert problems(file, CIO_PIPELINE__CUSTOMERIO__API_KEY_FILE="key") == [
        "pipeline.yaml:6:3: error: 'customerio.api_key' and 'customerio.api_key_file' are both set; keep one"
    ]


@pytest.mark.parametrize("name", REFUSED_PROPERTIES)
def test_a_property_that_would_break_a_guarantee_is_refused_with_the_reason(file: Path, name: str) -> None:
    file.write_text(COMPLETE.replace("topics:", f"properties:\n    {name}: '1'\n  topics:"))
    assert problems(file) == [
        f"pipeline.yaml:4:5: error: '{name}' may not be set: {REFUSED_PROPERTIES[name]}"
    ]


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        (
            "delivery: {retry: {initial_backoff_seconds: 90}}",
            "7:20: error: 'initial_backoff_seconds' may not exceed 'max_backoff_seconds' (60)",
        ),
        ("admin: {listen: here}", "7:17: error: 'listen': must be HOST:PORT, for example 127.0.0.1:9464"),
        ("logs: [json]", "7:7: error: 'logs': input should be an object"),
        (
            "delivery: {drain_deadline_seconds: 11}",
            "7:36: error: 'drain_deadline_seconds': input should be less than or equal to 10",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(file: Path, extra: str, problem: str) -> None:
    file.write_text(f"{COMPLETE}{extra}\n")
    assert problems(file) == [f"pipeline.yaml:{problem}"]


def test_a_drain_that_outlasts_the_groups_patience_is_refused(file: Path) -> None:
    found = problems(
        file,
        CIO_PIPELINE__KAFKA__MAX_POLL_INTERVAL_SECONDS="20",
        CIO_PIPELINE__KAFKA__SESSION_TIMEOUT_SECONDS="6",
    )
    assert found == [
        "pipeline.yaml: error: 'drain_deadline_seconds' may be at most a quarter of"
        " 'kafka.max_poll_interval_seconds' (20)",
        "pipeline.yaml: error: 'drain_deadline_seconds' must be less than 'kafka.session_timeout_seconds' (6)",
    ]


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("CIO_PIPELINE__KAFK__TOPICS", "unknown setting 'kafk': did you mean 'kafka'?"),
        ("CIO_PIPELINE__KAFKA", "'kafka' is a section; name one of its settings"),
        ("CIO_PIPELINE__KAFKA__TOPICS__0", "'kafka.topics' has no parts"),
        (
            "CIO_PIPELINE__KAFKA__PROPERTIES",
            "name the property: CIO_PIPELINE__KAFKA__PROPERTIES__SASL_PASSWORD",
        ),
    ],
)
def test_a_variable_that_names_no_setting_is_refused(file: Path, variable: str, sentence: str) -> None:
    assert problems(file, **{variable: "x"}) == [f"environment variable {variable}: error: {sentence}"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            COMPLETE + "  base_url: http://127.0.0.1:8080\n  region: eu\n",
            "pipeline.yaml:8:3: warning: 'region' has no effect because 'base_url' is set",
        ),
        (
            COMPLETE.replace(
                "kafka:\n",
                "kafka:\n  session_timeout_seconds: 20\n  properties: {group.protocol: consumer}\n",
            ),
            "pipeline.yaml:2:3: warning: 'session_timeout_seconds' has no effect because with 'group.protocol:"
            " consumer' the brokers set it",
        ),
    ],
    ids=["region", "session timeout"],
)
def test_a_setting_without_effect_is_warned_about(file: Path, text: str, warning: str) -> None:
    file.write_text(text)
    warnings: list[Problem] = []
    load_settings(file, {}, warnings.append)
    assert [str(found).splitlines()[0].replace(f"{file.parent}/", "") for found in warnings] == [warning]


def test_whatever_the_consumer_refuses_is_refused_here_first_with_its_reason() -> None:
    def options(properties: dict[str, str]) -> KafkaOptions:
        return KafkaOptions(bootstrap_servers="k:9092", topics=("shop",), group_id="g", properties=properties)

    for name in client_configuration(options({})):
        try:
            client_configuration(options({name: "1"}))
        except ConfigurationError:
            assert name in REFUSED_PROPERTIES


@pytest.mark.parametrize("topics", ["[shop, letters]", "letters", "^let", "[shop, '^.*ters$']"])
def test_dead_letters_may_not_go_where_they_are_read_again(file: Path, topics: str) -> None:
    file.write_text(COMPLETE.replace("[shop, billing]", topics) + "deadletters: {topic: letters}\n")
    [problem] = problems(file)
    assert "'topic' is letters, which 'kafka.topics' reads" in problem


def test_dead_letters_may_go_beside_what_is_read(file: Path) -> None:
    assert settings(file, "deadletters: {topic: shop-letters}\n").deadletters.topic == "shop-letters"
