"""The chaos harness: a cluster, a feeder, workers behind proxies, a schedule of faults, and the oracle that judges."""
