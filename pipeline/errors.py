"""The error tree and the exit statuses.

An exception here means that the program cannot go on with what it was asked to do. What happens to one record,
one call or one request is an outcome, a value, and is never raised.
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What the process tells its caller; one table for every command."""

    DONE = 0
    FAILED = 1  # a check or a test failed, or a record is unaccounted for
    USAGE = 2  # the command line or the configuration is wrong
    LIMIT = 3  # a limit with `limit_action: stop` was reached
    REFUSED = 4  # the remote side refused for good
    INTERRUPTED = 130
    TERMINATED = 143


class PipelineError(Exception):
    """The root: its text is one clear sentence for the person at the terminal, without payload or secret."""

    exit_status: ExitStatus = ExitStatus.FAILED


class ConfigurationError(PipelineError):
    """A setting, a mapping file or a combination of them cannot be used."""

    exit_status = ExitStatus.USAGE


class RemoteRefusedError(PipelineError):
    """Kafka or Customer.io refused for good; trying again would not help."""

    exit_status = ExitStatus.REFUSED


class LimitReachedError(PipelineError):
    """A limit with `limit_action: stop` was reached."""

    exit_status = ExitStatus.LIMIT


class DeadLettersUnavailableError(PipelineError):
    """The dead-letter store cannot take an entry now; nothing may be settled on the strength of it."""
