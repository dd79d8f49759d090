"""Calls on their way: lanes, batches, retries and the sender."""
