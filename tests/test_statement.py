"""When a console has said all of a rebuilt guest's host keys: a lie is told soon, and a slow console has its time."""

from pathlib import Path

import pytest
from test_hostkeys import KEY, LINE, OTHER, SHOWN, fingerprints, keys
from test_promised import built, checked_again, home, opened, told

from console.guests.hostkeys import Evidence, Judgement, Theirs
from console.guests.hostkeys import fingerprints as forms
from console.guests.statement import SETTLED, Statement
from console.runbooks.ready import PATIENT

__all__ = ["home"]
BOOT = "[    0.000000] Linux version 6.1.0-18-cloud-amd64\n"
END = "[    6.1] cloud-init[498]: Cloud-init v. 22.4.2 finished at Sat, 28 Nov 2026 15:00:00 +0000. Up 6.12 seconds\n"
LIE = OTHER.export_public_key().decode().strip()
THIRD = "SHA256:" + "c" * 43


class Listener:
    """A statement under a clock that the test moves."""

    def __init__(self, *before: str) -> None:
        self.now = 100.0
        self.statement = Statement(before, lambda: self.now)

    def hears(self, console: str, after: float = 0.0) -> bool:
        """Whether all is said, with this on the console so much later, for a guest that shows KEY."""
        self.now += after
        self.statement.hear(console)
        return self.statement.complete(Evidence("id", console).judge(KEY, Theirs()))


def test_what_comes_while_we_listen_is_of_the_new_disk() -> None:
    one = Listener()
    assert not one.hears(BOOT)
    assert not one.hears(BOOT + keys(LIE).partition("-----END")[0], 1)
    assert not one.hears(BOOT + keys(LIE), 60)  # it may say more
    assert one.hears(BOOT + keys(LIE) + "\n" + END, 0.1)
    other = Listener()
    assert not other.hears(BOOT)
    assert not other.hears(BOOT + keys(LIE), 1)
    assert not other.hears(BOOT + keys(LIE), SETTLED - 0.1)
    assert other.hears(BOOT + keys(LIE), 0.2)


def test_what_was_there_at_first_counts_only_where_the_old_keys_are_known() -> None:
    unknown = Listener()
    assert not unknown.hears(keys(LIE) + "\n" + END)
    assert not unknown.hears(keys(LIE) + "\n" + END, 500)
    known = Listener(THIRD)
    assert not known.hears(keys(LIE) + "\n" + END)
    assert known.hears(keys(LIE) + "\n" + END, SETTLED)


@pytest.mark.parametrize("kind", ["SHA256", "MD5"])
def test_a_console_that_still_shows_the_old_keys_is_waited_for(kind: str) -> None:
    form = next(form for form in forms(LIE.split()[1]) if form.startswith(kind))
    old = fingerprints(f"256 {form} root@guest (ECDSA)") + "\n" + END
    one = Listener(*forms(LIE.split()[1]))
    assert not one.hears(old)
    assert not one.hears(old, 500)
    assert not one.hears(old + BOOT, 1)
    assert not one.hears(old + BOOT, 500)
    third = fingerprints(f"256 {THIRD} root@guest (ED25519)")
    assert not one.hears(old + BOOT + third + "\n", 1)
    assert one.hears(old + BOOT + third + "\n" + END, 1)


def test_a_boot_that_has_not_come_to_its_keys_is_waited_for() -> None:
    one = Listener(THIRD)
    assert not one.hears(keys(LIE) + "\n" + END + BOOT)
    assert not one.hears(keys(LIE) + "\n" + END + BOOT, 500)


def test_a_guest_that_still_shows_its_old_key_is_no_new_one() -> None:
    one = Listener(SHOWN)
    one.hears(BOOT)
    assert not one.hears(BOOT + keys(LIE) + "\n" + END, 1)
    assert Statement().complete(None) is False
    assert Statement().complete(Judgement("changed", SHOWN, "ssh-ed25519", "")) is False
    assert LINE.split()[1] and forms("no base64") == frozenset()


async def test_a_console_that_lies_of_a_rebuilt_guest_is_not_waited_for_to_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ops, estate):
        first = await built(ops, file=None)
        assert first.state == "ready" and first.report.host_key.grade == "console"
        estate.guests.guests[first.key.id].server.metadata["lab_hostkey"] = "lie"
        row = await ops.servers.get(first.key.id)
        await ops.perform("server.rebuild", row, image="debian-12", wait=True)
        second = await checked_again(ops, first)
        assert second.state == "not ready" and second.distrusted, second
        assert second.report.host_key.fingerprint != first.report.host_key.fingerprint
        assert second.took is not None and second.took < SETTLED + 10 < PATIENT
        assert told(second, "login") == [("skipped", "")]
        await ops.perform("server.rebuild", row, image="debian-12", wait=True)  # nothing was kept of a lie
        third = await checked_again(ops, second)
        assert third.distrusted and third.took is not None and third.took < SETTLED + 10


async def test_a_console_that_is_slower_than_its_guest_has_its_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ops, estate):
        first = await built(ops, file=None)
        estate.guests.guests[first.key.id].server.metadata["lab_console_delay"] = str((SETTLED + 4) * 20)
        row = await ops.servers.get(first.key.id)
        await ops.perform("server.rebuild", row, image="debian-12", wait=True)
        second = await checked_again(ops, first)
        assert second.state == "ready" and second.report.host_key.grade == "console", second
        assert second.took is not None and second.took > SETTLED
        assert second.report.host_key.fingerprint != first.report.host_key.fingerprint
