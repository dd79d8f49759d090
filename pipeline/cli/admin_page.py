"""What is served at the admin address of these settings, and to whom."""

import base64
import os
import pickle

from pipeline.cli.playground import read_files
from pipeline.config import Settings
from pipeline.config.fields import is_loopback
from pipeline.errors import ConfigurationError
from pipeline.mapping import MappingLimits
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import Monitored, Part, admin_application
from pipeline.operations.admin_guard import Guard
from pipeline.operations.admin_letters import LettersPart
from pipeline.operations.admin_person import PersonPart
from pipeline.operations.admin_playground import PlaygroundPart
from pipeline.operations.helper_process import HelperProcess
from pipeline.operations.playground import Ways

DESK = "pipeline.cli.desk"


def admin_page(settings: Settings, monitored: Monitored) -> Guard:
    """Build the application.

    Raises:
        ConfigurationError: others can reach the address and there is no token, or the token cannot be used.
    """
    access = access_of(settings)
    return admin_application(monitored, access, parts_of(settings, payloads=access.payloads))


def parts_of(settings: Settings, *, payloads: bool) -> list[Part]:
    """Return the views beside Live. Their processes are started when somebody looks."""
    files, topics = (
        settings.mapping.files,
        [name for name in settings.kafka.topics if not name.startswith("^")],
    )
    looking, acting = _desk(settings), _desk(settings)
    return [
        PlaygroundPart(lambda: read_files(files), _ways(settings), topics),
        LettersPart(looking, acting, payloads=payloads),
        PersonPart(looking, topics, payloads=payloads),
    ]


def _desk(settings: Settings) -> HelperProcess:
    # The rules in force may ask the environment, and so may the clients of Kafka and Customer.io.
    line = base64.b64encode(pickle.dumps(settings)) + b"\n"
    return HelperProcess(DESK, environment=os.environ, first=line)


def _ways(settings: Settings) -> Ways:
    timestamps = settings.timestamps
    limits = MappingLimits(
        future_tolerance_seconds=timestamps.future_tolerance_seconds,
        clamp_future=timestamps.future == "clamp",
    )
    customerio = settings.customerio
    return Ways(settings.mapping.namespace, customerio.identify_timestamp, customerio.api == "v1", limits)


def access_of(settings: Settings) -> Access:
    """Return who may see what.

    Raises:
        ConfigurationError: others can reach the address and there is no token, or the token cannot be used.
    """
    admin = settings.admin
    secret = admin.token_secret
    is_private = admin.listen is None or is_loopback(admin.listen)
    if secret is None and not is_private:
        raise ConfigurationError(f"admin.listen: {admin.listen} can be reached by others; set admin.token")
    return Access(
        token=None if secret is None else AdminToken(secret.reveal),
        payloads=is_private if admin.show_payloads is None else admin.show_payloads,
        hosts=frozenset(name.lower() for name in (*admin.hosts, *_own_name(admin.listen))),
        open_metrics=admin.open_metrics,
    )


def _own_name(listen: str | None) -> tuple[str, ...]:
    """An address that is listened on by its name may be asked for by that name."""
    return () if listen is None else (listen.rpartition(":")[0].strip("[]"),)
