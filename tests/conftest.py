"""What every test stands on: signals as a terminal gives them.

A shell that starts a command in the background makes it, and all that it starts, deaf to SIGINT; tests that interrupt
a command would then wait for ever.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
