"""What every test stands on: signals as a terminal gives them, and a loopback that no other test listens on.

A shell that starts a command in the background makes it, and all that it starts, deaf to SIGINT; tests that interrupt
a command would then wait for ever. Tests that run at once would take each other's addresses: a guest stands at port 22
of its own, as a real one does. So each of several workers gets a loopback network to itself, where the system lets it.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SET_FLAGS, UP, RUNNING = 0x8914, 0x1, 0x40  # SIOCSIFFLAGS, IFF_UP, IFF_RUNNING

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_the_others() -> None:
    """Go on with a network of this process's own, which has a loopback device and nothing else."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14s", b"lo", UP | RUNNING, b""))


if "PYTEST_XDIST_WORKER" in os.environ and "NOVADECK_OPENSTACK_LAB" not in os.environ:
    leave_the_others()  # who is not root may not, and has no port 22 to share either
