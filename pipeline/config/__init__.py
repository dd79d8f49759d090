"""The configuration: one YAML file, the environment over it, and nothing that is found out too late."""

from pipeline.config.loading import load_settings
from pipeline.config.secrets import Secret
from pipeline.config.settings import Settings

__all__ = ["Secret", "Settings", "load_settings"]
