"""The section about traces."""

from typing import Annotated

from pydantic import Field

from pipeline.config.fields import Section, Url


class TracingSettings(Section):
    """OpenTelemetry traces; they need the extra `cio-pipeline[otel]`."""

    enabled: Annotated[
        bool,
        Field(
            description="Follow records whose headers carry a sampled trace context (`traceparent`), and export their"
            " spans by OTLP over HTTP."
        ),
    ] = False
    endpoint: Annotated[
        Url | None,
        Field(
            description="Where spans go: `http://127.0.0.1:4318/v1/traces`. `null` for what OpenTelemetry's own"
            " environment variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`), which also name headers and certificates."
        ),
    ] = None
    sample_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The part of the records without a trace context for which a trace is begun here.",
        ),
    ] = 0.0
