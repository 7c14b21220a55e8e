"""Two hundred hosts at once against OpenSSH: every ladder ends with the true answer, and nothing is left."""

import asyncio
from dataclasses import replace
from pathlib import Path

from test_probe import Sshd, console_with, needs_sshd, sshd

from console.guests.hostkeys import Evidence
from console.guests.probe import Report, probe
from console.runbooks.ready import AT_ONCE

__all__ = ["sshd"]
HOSTS = 200


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@needs_sshd
async def test_two_hundred_hosts_with_the_cap_of_the_console(sshd: Sshd) -> None:
    """One sshd plays all hosts, each at an address of its own; each third one's console tells of another key."""
    sshd.listen = "0.0.0.0"
    sshd.start("MaxStartups 500", "ForceCommand exit 127")
    other = (sshd.folder / "other.pub").read_text().strip()
    gate, under_way, most = asyncio.Semaphore(AT_ONCE), 0, 0

    async def one(number: int) -> Report:
        nonlocal under_way, most
        route = replace(sshd.route(), addresses=(f"127.3.{number // 100}.{number % 100 + 1}",))
        evidence = Evidence(f"id-{number}", console_with(other if number % 3 == 0 else sshd.host_key))
        async with gate:
            under_way += 1
            most = max(most, under_way)
            report = await probe(route, evidence, deadline=120)
            under_way -= 1
            return report

    before = open_files()
    reports = await asyncio.gather(*(one(number) for number in range(HOSTS)))
    assert most == AT_ONCE
    for number, report in enumerate(reports):
        assert report.host_key is not None
        if number % 3 == 0:
            assert report.failed is not None and report.failed.name == "host key"
            assert report.host_key.grade == "changed"
        else:
            assert report.ready and report.host_key.grade == "console", report.failed
    assert not asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.sleep(0)
    assert open_files() <= before
