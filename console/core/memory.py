"""The collector, told what a console is: ten thousand rows that stay, and little that comes and goes.

With Python's defaults each burst of new rows makes it walk all old ones, and a key waits for a third of a second.
Only a program that lives long calls this; a library leaves its host's collector alone.
"""

import gc

THRESHOLDS = (100_000, 50, 1000)


def expect_rows() -> None:
    """Before the first load: let the collector come seldom."""
    gc.set_threshold(*THRESHOLDS)


def settle() -> None:
    """After the first load: what there is now stays, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
