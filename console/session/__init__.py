"""What every face holds: one `Console` with all clouds, for the screen, the command line, the library and the tests.

`open` reads where the clouds are and starts a lane for each; it waits for none of them. Leaving the context ends every
task that was begun in it. Looking needs nothing but the core; the rooms that act are loaded when something is done.
"""

from console.core.collection import Collection, Found
from console.core.watch import Batch
from console.session.console import AccountsFound, Console
from console.session.opening import choose, open
from console.session.waiting import wait_for_build, wait_until

__all__ = ["AccountsFound", "Batch", "Collection", "Console", "Found", "choose", "open", "wait_for_build", "wait_until"]
