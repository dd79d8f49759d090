"""Replay: records once more, from an offset or a moment, with a bill first and with guards."""
