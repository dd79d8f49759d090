"""A local Customer.io for tests, demos and teaching."""

from pipeline.sandbox.server import SandboxServer

__all__ = ["SandboxServer"]
