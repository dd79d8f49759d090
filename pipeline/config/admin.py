"""Settings of the admin address."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.config.fields import ListenAddress, NotBlank, Section, Texts
from pipeline.config.secrets import Secret


class AdminSettings(Section):
    """Metrics, health and state over HTTP."""

    listen: Annotated[
        ListenAddress,
        Field(
            description="The address to serve on, `HOST:PORT`; `null` or `off` for none. One that is not loopback needs"
            " a token."
        ),
    ] = "127.0.0.1:9464"
    token: Annotated[
        NotBlank | None,
        Field(
            description="What the page and the API ask for, at least 16 characters: in the page's form, or as"
            " `Authorization: Bearer`."
        ),
    ] = None
    token_file: Annotated[Path | None, Field(description="A file that holds the token.")] = None
    show_payloads: Annotated[
        bool | None,
        Field(
            description="Whether the page may show data of events: dead letters, samples, a person's records. `null`"
            " for yes on a loopback address and no elsewhere."
        ),
    ] = None
    open_metrics: Annotated[
        bool, Field(description="Answer `/metrics` without the token; `/healthz` and `/readyz` always are.")
    ] = True
    hosts: Annotated[
        Texts,
        Field(
            description="Names that the page may be asked for by, such as an ingress has, besides IP addresses and"
            " `localhost`."
        ),
    ] = ()

    @property
    def token_secret(self) -> Secret | None:
        """The token, wherever it is kept; None where there is none."""
        if self.token is None and self.token_file is None:
            return None
        return Secret.of(self.token, self.token_file)
