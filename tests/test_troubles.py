"""Each trouble that a guest may have, one after another: told truly, in time, and nothing is left of the look at it."""

import asyncio
import os
import socket
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from test_probe import ADDRESS, Sshd, console_with, failure, free_port, needs_sshd, says, sshd

from console.guests.hostkeys import Evidence
from console.guests.own import Demands, InGuest
from console.guests.probe import probe
from console.guests.route import Route
from console.text import Secret

__all__ = ["sshd"]


def left_open() -> set[str]:
    """What this process holds open, and its children."""
    held = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            held.add(f"{link.name} {link.readlink()}")
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return held | set(children)


@needs_sshd
async def test_each_trouble_is_told_in_time_and_leaves_nothing(sshd: Sshd) -> None:
    """All of them one after another, each under its own deadline; tasks, sockets, files and children are counted."""
    sshd.start()
    good, nobody = Evidence("id", console_with(sshd.host_key)), sshd.route("other")
    other = Evidence("id", console_with((sshd.folder / "other.pub").read_text().strip()))
    revoked = sshd.folder / "revoked"
    revoked.write_text(f"@revoked * {sshd.host_key}\n")
    await probe(sshd.route(), good)  # what is loaded once is open from here on
    before, deadline = left_open(), 2.0
    full = socket.create_server((ADDRESS, 0), backlog=0)  # with nobody to accept, a second one is never answered
    waiting = socket.create_connection(full.getsockname())
    dropping = replace(nobody, port=full.getsockname()[1])
    silent, hangs_up, speaks = says(b""), says(b"SSH-2.0-Dying\r\n", close=True), says(b"HTTP/1.1 400 Bad\r\n\r\n")
    async with silent as mute, hangs_up as dying, speaks as web:
        troubles: list[tuple[Route, Evidence, dict[str, Any], str, str]] = [
            (replace(nobody, addresses=()), good, {}, "address", "no address yet"),
            (replace(nobody, port=free_port()), good, {}, "port", "refuses"),
            (dropping, good, {}, "port", "does not answer"),
            (replace(nobody, port=mute), good, {}, "banner", "never came"),
            (replace(nobody, port=web), good, {}, "banner", "does not speak SSH"),
            (replace(nobody, port=dying), good, {}, "host key", "went away"),
            (sshd.route(), other, {}, "host key", "is changed"),
            (sshd.route(known_hosts=(revoked,)), good, {}, "host key", "revoked"),
            (nobody, good, {}, "login", "Nobody lets"),
            (sshd.route(users=("nobody-there",)), good, {}, "login", "Nobody lets nobody-there in"),
            (nobody, good, {"password": Secret("wrong")}, "login", "Nobody lets"),
            (sshd.route(), good, {"checks": ["kill -9 $PPID"]}, "check", "sshd went away"),
            (sshd.route(), good, {"checks": ["exec sleep 600"]}, "check", "did not end within"),
            (sshd.route(), good, {"demands": Demands(files=[InGuest("/not/there", b"")])}, "file", "is not there"),
        ]
        for route, evidence, how, rung, words in troubles:
            began = time.monotonic()
            report = await probe(route, evidence, deadline=deadline, **how)
            took = time.monotonic() - began
            assert took < deadline + 0.5, (words, took)
            assert failure(report).name == rung and words in failure(report).text, report
            names = [one.name for one in report.rungs]
            assert all(one.state == "skipped" for one in report.rungs[names.index(rung) + 1 :])
            assert asyncio.all_tasks() - {asyncio.current_task()} == set(), words
    waiting.close()
    full.close()
    await asyncio.sleep(0)
    assert left_open() - before == set()
