"""What is served at the admin address of these settings, and to whom."""

from starlette.types import ASGIApp

from pipeline.config import Settings
from pipeline.config.fields import is_loopback
from pipeline.errors import ConfigurationError
from pipeline.operations.admin_access import Access, AdminToken
from pipeline.operations.admin_application import Monitored, admin_application


def admin_page(settings: Settings, monitored: Monitored) -> ASGIApp:
    """Build the application.

    Raises:
        ConfigurationError: others can reach the address and there is no token, or the token cannot be used.
    """
    return admin_application(monitored, access_of(settings))


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
