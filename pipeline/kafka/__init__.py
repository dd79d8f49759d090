"""Kafka: the consumer behind the `Source` port, the dead-letter topic, and the embedded broker.

Nothing is imported here, so that what needs only the offset tracker does not load the client.
"""
