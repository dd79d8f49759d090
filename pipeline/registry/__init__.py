"""The schema registry: asking it, and keeping what it said."""

from pipeline.registry.client import RegistryClient
from pipeline.registry.lookup import SchemaLookup

__all__ = ["RegistryClient", "SchemaLookup"]
