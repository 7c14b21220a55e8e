"""Run a full-screen command on a terminal of its own, wait for its picture, press q, and say how that went.

    onscreen.py COMMAND...     exit code 0: a screen came up and the command ended when it was asked to

Needs nothing but Python, for it runs where nothing else is installed.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

STARTED = b"\x1b[?1049h"  # the alternate screen: from here on a full-screen program is painting
ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|[\]PX^_].*?(\x07|\x1b\\)|[()].|.)", re.DOTALL)
PATIENCE = 600  # seconds, an installation among them
WORDS = (b"Servers", b"ACTIVE")  # what the first picture has


def read(terminal: int, seconds: float) -> bytes:
    """What comes within that time, or empty; at the command's end as well."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    try:
        return os.read(terminal, 65536) if ready else b""
    except OSError:  # Linux tells the other side's end so
        return b""


def ended(child: int) -> int | None:
    """The exit code, once there is one."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


def watch(child: int, terminal: int) -> str | None:
    """Follow the command to its end; what was wrong, or None."""
    seen, asked, limit = b"", 0.0, time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        seen += read(terminal, 0.5)
        text = ESCAPES.sub(b"", seen)
        up = STARTED in seen and all(word in text for word in WORDS)
        if up and not asked:
            asked = time.monotonic()
            time.sleep(2)
            os.write(terminal, b"q")
        if (code := ended(child)) is not None:
            show(text)
            return None if asked and code == 0 else f"ended with {code}, screen {'seen' if asked else 'not seen'}"
        if asked and time.monotonic() - asked > 30:
            return "did not end within 30 s of q"
    show(ESCAPES.sub(b"", seen))
    return "no screen came up"


def show(text: bytes) -> None:
    """Print the words that were written, without the blanks that place them."""
    words = re.split(r"[ \r\n]{3,}", text.decode(errors="replace"))
    print(*(word for word in words if word.strip()), sep="\n")


def main() -> int:
    """Run the command named on the command line."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 35, 120, 0, 0))
    wrong = watch(child, terminal)
    print(f"onscreen: {wrong or 'a screen came up, and q ended it'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
