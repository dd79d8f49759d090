"""How seldom Python looks for garbage in a process that keeps many objects for a while."""

import gc

_SELDOM = (20_000, 20, 50)


def collect_seldom() -> None:
    """Let Python look for garbage seldom, and never again among what is there now: rules, settings, modules.

    Records on their way refer to each other but in no circle, so that they go without a collector. Looking through
    them took a fifth of the CPU time a record, and a third of the sandbox's an operation (`make bench`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
