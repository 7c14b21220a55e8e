"""The collector, told what a console is: ten thousand rows that stay, and little that comes and goes.

With Python's defaults each burst of new rows makes it walk all old ones, and a key waits for a third of a second.
Only a program that lives long calls this; a library leaves its host's collector alone.
"""

import gc
from contextlib import suppress

THRESHOLDS = (100_000, 50, 1000)


def expect_much() -> None:
    """Before anything else: what is imported stays, and so do the rows that come; so the collector comes seldom."""
    gc.set_threshold(*THRESHOLDS)


def settle() -> None:
    """After the first load: what there is now stays, and is not looked at again; what the load left is given back."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    _give_back()


def _give_back() -> None:
    """Let the system have the memory that bodies of thousands of records took: glibc keeps it, others have no need."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
