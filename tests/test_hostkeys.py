"""Host keys on a console, as cloud-init prints them, and the file in which we keep those that we met."""

import base64
import hmac
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncssh
import pytest

from console.guests.hostkeys import Evidence, KnownHosts, Theirs, fingerprint, printed, theirs
from console.guests.hostkeys import fingerprints as fingerprints_of

KEY = asyncssh.generate_private_key("ssh-ed25519", comment="root@guest")
OTHER = asyncssh.generate_private_key("ecdsa-sha2-nistp256", comment="root@guest")
SHOWN = KEY.get_fingerprint("sha256")
LINE = KEY.export_public_key().decode().strip()
NOBODY = Theirs()


def fingerprints(*prints: str, prefix: str = "<14>Nov 20 21:32:43 cloud-init: ") -> str:
    """The first of cloud-init's two blocks."""
    lines = ["#" * 61, "-----BEGIN SSH HOST KEY FINGERPRINTS-----", *prints]
    return "\n".join(prefix + line for line in [*lines, "-----END SSH HOST KEY FINGERPRINTS-----", "#" * 61])


def keys(*lines: str) -> str:
    """The second one, which has no prefix."""
    return "\n".join(["-----BEGIN SSH HOST KEY KEYS-----", *lines, "-----END SSH HOST KEY KEYS-----"])


@pytest.mark.parametrize(
    "console",
    [
        fingerprints(f"256 {SHOWN} root@guest (ED25519)"),
        fingerprints(f"256 {SHOWN} root@guest (ED25519)", prefix="[   12.345678] cloud-init[498]: "),
        fingerprints(f"256 {SHOWN} root@guest (ED25519)", prefix="ci-info: "),
        fingerprints(f"256 {KEY.get_fingerprint('md5')} root@guest (ED25519)"),
        fingerprints(f"256 {KEY.get_fingerprint('md5').removeprefix('MD5:')} root@guest (ED25519)"),
        keys(LINE),
        "boot\n" + keys(OTHER.export_public_key().decode().strip(), LINE) + "\nlogin:",
        keys(LINE).partition("-----END")[0],
        keys(LINE) + "\nrescue\n" + keys(OTHER.export_public_key().decode().strip()),
    ],
    ids=["prefixed", "kernel time", "ci-info", "md5", "bare md5", "keys", "two keys", "cut off", "older block"],
)
def test_a_printed_key_is_vouched_for(console: str) -> None:
    assert Evidence("id", console).judge(KEY, NOBODY).grade == "console"


@pytest.mark.parametrize(
    "console",
    [
        "",
        "login: ",
        LINE,  # outside any block anybody may have typed it
        f"256 {SHOWN} root@guest (ED25519)",
        "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAAbroken!\n",
        fingerprints(),
    ],
    ids=["nothing", "a prompt", "a bare key", "a bare fingerprint", "a broken key", "no key"],
)
def test_what_was_not_printed_in_a_block_vouches_for_nothing(console: str) -> None:
    assert printed(console) == []
    assert Evidence("id", console).judge(KEY, NOBODY).grade == "first-use"


def test_another_key_than_the_printed_one_has_changed() -> None:
    found = Evidence("id", keys(OTHER.export_public_key().decode().strip())).judge(KEY, NOBODY)
    assert found.grade == "changed"
    assert not found.trusted
    assert found.expected == (OTHER.get_fingerprint("sha256"),)


def test_a_part_of_a_fingerprint_is_not_the_fingerprint() -> None:
    assert printed(fingerprints(f"256 {SHOWN[:-1]} root@guest (ED25519)")) == []


def test_the_fingerprint_of_a_key_line() -> None:
    assert fingerprint(LINE.split()[1]) == SHOWN
    assert fingerprint("AAAA*") == ""


def test_our_own_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "known_hosts"
    own = KnownHosts(path)
    assert own.find("one") == []
    own.note("one", "ssh-ed25519", "AAAA", "first-use")
    own.note("one", "ecdsa-sha2-nistp256", "BBBB", "console")
    own.note("two", "ssh-ed25519", "CCCC", "console")
    assert path.stat().st_mode & 0o777 == 0o600
    fresh = KnownHosts(path)
    assert [(kept.blob, kept.grade) for kept in fresh.find("one")] == [("AAAA", "first-use"), ("BBBB", "console")]
    fresh.note("one", "ssh-ed25519", "DDDD", "console")
    assert [kept.blob for kept in own.find("one")] == ["BBBB", "DDDD"]
    own.forget("one")
    assert fresh.find("one") == []
    assert [kept.blob for kept in fresh.find("two")] == ["CCCC"]


def test_who_notes_at_the_same_time_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state" / "known_hosts"

    def note(who: int) -> None:
        for number in range(25):
            KnownHosts(path).note(f"{who}-{number}", "ssh-ed25519", "AAAA", "console")
            KnownHosts(path).forget(f"{who}-{number - 1}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(note, range(4)))
    assert [bool(KnownHosts(path).find(f"{who}-24")) for who in range(4)] == [True] * 4
    assert len(path.read_text().splitlines()) == 4
    assert [file.name for file in path.parent.iterdir()] == ["known_hosts"]


async def test_a_key_met_before(tmp_path: Path) -> None:
    evidence = Evidence("id", "", KnownHosts(tmp_path / "known_hosts"))
    first = evidence.judge(KEY, NOBODY)
    await evidence.keep(first, KEY)
    assert first.grade == evidence.judge(KEY, NOBODY).grade == "first-use"
    assert evidence.judge(OTHER, NOBODY).grade == "changed"
    vouched = Evidence("id", keys(OTHER.export_public_key().decode().strip()), evidence.own)
    assert vouched.judge(OTHER, NOBODY).grade == "console"
    assert Evidence("another", "", evidence.own).judge(OTHER, NOBODY).grade == "first-use"


def test_known_hosts_of_the_user(tmp_path: Path) -> None:
    good, broken = tmp_path / "good", tmp_path / "broken"
    good.write_text(f"10.0.0.4 {LINE}\n@revoked * {OTHER.export_public_key().decode()}")
    broken.write_text("\x00 what @cert-authority\n")
    said = theirs([tmp_path / "missing", broken, good], "10.0.0.4", 22)
    assert set(said.trusted) == {KEY.convert_to_public()}
    assert set(said.revoked) == {OTHER.convert_to_public()}
    assert theirs([good], "10.0.0.5", 22).trusted == ()
    assert Evidence("id", keys(LINE)).judge(OTHER.convert_to_public(), said).grade == "revoked"
    assert Evidence("id").judge(KEY.convert_to_public(), said).grade == "known"


def said_of(tmp_path: Path, text: str, host: str, port: int = 22, alias: str = "") -> tuple[int, int, int]:
    """How many keys a known_hosts file tells of a host: trusted, authorities, revoked."""
    file = tmp_path / "known_hosts"
    file.write_text(text)
    found = theirs([file], host, port, alias)
    return len(found.trusted), len(found.authorities), len(found.revoked)


def test_a_host_by_its_name_is_known(tmp_path: Path) -> None:
    assert said_of(tmp_path, f"bastion.example.org {LINE}\n", "Bastion.example.org") == (1, 0, 0)
    assert said_of(tmp_path, f"@revoked * {LINE}\n", "bastion.example.org") == (0, 0, 1)
    assert said_of(tmp_path, f"@cert-authority *.example.org {LINE} ca\n", "a.example.org", 2200) == (0, 1, 0)


def test_an_alias_takes_the_place_of_address_and_port(tmp_path: Path) -> None:
    other = OTHER.export_public_key().decode().strip()
    text = f"web-a {LINE}\n10.0.0.5 {other}\n[10.0.0.5]:2222 {other}\n"
    for port in (22, 2222):
        assert said_of(tmp_path, text, "10.0.0.5", port, "web-a") == (1, 0, 0)
        said = theirs([tmp_path / "known_hosts"], "10.0.0.5", port, "web-a")
        assert Evidence("id").judge(OTHER.convert_to_public(), said).grade == "changed"


def test_a_revoked_key_is_revoked_at_every_port(tmp_path: Path) -> None:
    assert said_of(tmp_path, f"@revoked [10.0.0.5]:2222 {LINE}\n", "10.0.0.5", 2222) == (0, 0, 1)
    assert said_of(tmp_path, f"[10.0.0.5]:2222 {LINE}\n@revoked 10.0.0.5 {LINE}\n", "10.0.0.5", 2222) == (1, 0, 1)


def test_a_line_that_nobody_understands_hides_no_other(tmp_path: Path) -> None:
    text = f"half-a-line\n|1|broken {LINE}\n@what 10.0.0.5 {LINE}\n10.0.0.5 {LINE}\n"
    assert said_of(tmp_path, text, "10.0.0.5") == (1, 0, 0)


def test_a_hashed_name_is_known(tmp_path: Path) -> None:
    salt = b"0123456789abcdefghij"
    mac = base64.b64encode(hmac.digest(salt, b"bastion.example.org", "sha1")).decode()
    text = f"|1|{base64.b64encode(salt).decode()}|{mac} {LINE}\n"
    assert said_of(tmp_path, text, "bastion.example.org") == (1, 0, 0)
    assert said_of(tmp_path, text, "other.example.org") == (0, 0, 0)


def test_what_is_exported_is_trusted_for_its_own_hosts_alone(tmp_path: Path) -> None:
    own = KnownHosts(tmp_path / "known_hosts")
    own.note("id", *LINE.split()[:2], "console")
    names = ["10.0.0.4", "2001:db8::4", "web-1.example.org", "*", "web?", "a,b", "!web", "@revoked", "#web", "|1|a|b"]
    (line,) = own.export({"id": names})
    assert line.split()[0] == "10.0.0.4,2001:db8::4,web-1.example.org"
    assert own.export({"id": ["*"]}) == []


def test_what_only_a_console_has_told_of_before_our_rebuild_is_outdated_too(tmp_path: Path) -> None:
    own, md5 = KnownHosts(tmp_path / "known_hosts"), "MD5:" + ":".join(["0a"] * 16)
    own.note("id", *LINE.split()[:2], "first-use")
    own.expect_another("id", {SHOWN, md5})
    own.expect_another("id", {SHOWN, md5})
    own.expect_another("other", {md5})
    assert KnownHosts(own.path).shown("id") == {*fingerprints_of(LINE.split()[1]), md5}
    assert own.shown("other") == {md5} and own.another_expected("other")
    assert len(own.path.read_text().splitlines()) == 4
    assert own.export({"id": ["web"], "other": ["db"]}) == []
    assert Evidence("other", "", own, renewed=True).judge(KEY, NOBODY).grade == "first-use"
    own.note("other", *LINE.split()[:2], "first-use")
    assert not own.another_expected("other") and len(own.find("other")) == 1


def test_after_our_rebuild_another_key_is_expected_once(tmp_path: Path) -> None:
    own = KnownHosts(tmp_path / "known_hosts")
    own.expect_another("id")
    assert not own.path.exists() and not own.another_expected("id")
    own.note("id", *LINE.split()[:2], "first-use")
    own.note("other", *LINE.split()[:2], "first-use")
    own.expect_another("id")
    assert KnownHosts(own.path).another_expected("id") and not own.another_expected("other")
    assert own.export({"id": ["web"]}) == []
    own.note("id", *LINE.split()[:2], "first-use")  # the guest is yet to be rebuilt
    assert own.another_expected("id")
    other = OTHER.export_public_key().decode().split()[:2]
    own.note("id", *other, "first-use")
    assert not own.another_expected("id")
    assert [kept.blob for kept in KnownHosts(own.path).find("id")] == [other[1]]
