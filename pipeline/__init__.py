"""Kafka to Customer.io, as one long-running program."""

__version__ = "0.1.0"
