"""Bad input, by command: refused with one clear sentence before anything is sent, on both clouds alike."""

import io
from pathlib import Path

import pytest
from doings import audit_lines
from ground import Cloud
from test_verbs import Teller, run

MANY = [f"--metadata=k{n}=v" for n in range(129)]  # 128 are the most, by Nova's own default


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal at the input."""
    monkeypatch.setattr("sys.stdin", io.StringIO())


async def test_a_server_that_no_cloud_would_make(cloud: Cloud, tmp_path: Path) -> None:
    big, binary, small = tmp_path / "big", tmp_path / "binary", tmp_path / "small"
    big.write_text("x" * 65536)
    binary.write_bytes(b"\xff\xfe\x00")
    small.write_text("hello\n")
    right = {"--image": cloud.image, "--flavor": cloud.tiny, "--network": cloud.network}
    cases: list[tuple[dict[str, str], list[str], str]] = [
        ({"--flavor": "m9.none"}, [], "There is no flavor 'm9.none'."),
        ({"--image": "none"}, [], "There is no image 'none'."),
        ({"--network": "none-such"}, [], "There is no network 'none-such'."),
        ({}, ["--key-name", "none"], "There is no key pair 'none'."),
        ({}, ["--availability-zone", "none"], "There is no zone 'none'."),
        ({}, MANY, "129 metadata pairs were given, and 128 are the most."),
        ({}, ["--metadata", f"key={'v' * 256}"], "metadata 'key' has 256 characters, and 255 are the most."),
        ({}, ["--tag", "a/b"], "Tag 'a/b' holds a slash or a comma."),
        ({}, ["--hostname", "no_good"], "Host name 'no_good'"),
        ({}, ["--access-ipv4", "10.1.2"], "10.1.2"),
        ({}, ["--fixed-ip", f"{cloud.network}=300.1.1.1"], "300.1.1.1"),
        ({}, ["--fixed-ip", "none-such=10.1.1.1"], "There is no network 'none-such'."),
        ({}, ["--server-group", "none-such"], "There is no server group 'none-such'."),
        ({}, ["--boot-from-volume", "60000"], "It needs 60000 more GB of volumes, and the quota leaves"),
        ({}, ["--port", "no-id"], "no-id"),
        ({}, ["--file", f"/etc/x={big}"], "87914 bytes of user data, and 49151 are the most."),
        ({}, ["--file", f"/etc/x={binary}"], "/etc/x"),
        ({}, ["--file", f"/etc/x={tmp_path / 'none'}"], "No such file"),
        ({}, ["--file", f"/{'d' * 256}={small}"], "255"),
        ({}, ["--user-data", str(big)], "65536 bytes of user data, and 49151 are the most."),
        ({}, ["--count", "5000"], "the quota leaves"),
    ]
    here = Teller(cloud, "", tmp_path).here()
    wrong = []
    for instead, more, told in cases:
        words = [word for pair in (right | instead).items() for word in pair]
        said = await run("server", "create", cloud.name("bad"), *words, *more, *here)
        if (said.code, told in said.err, said.err.count("\n"), said.out) != (1, True, 1, ""):
            wrong.append(f"{instead} {' '.join(more)[:80]}: {told!r} is not in {said}")
    assert wrong == [], "\n".join(wrong)
    long = await run("server", "create", "n" * 300, *[word for pair in right.items() for word in pair], *here)
    assert (long.code, "name has 300 characters, and 255 are the most." in long.err) == (1, True), long
    assert audit_lines() == []
    assert (await cloud.witness.ask("compute", f"/servers?name={cloud.name('bad')}"))["servers"] == []


async def pairs(cloud: Cloud, id: str) -> int:
    """How many metadata pairs the server has."""
    return len((await cloud.witness.server(id))["metadata"])


async def test_changes_that_no_cloud_would_take(cloud: Cloud, tmp_path: Path) -> None:
    teller = Teller(cloud, cloud.name("bad"), tmp_path)
    teller.id = await cloud.witness.create(teller.name)
    await cloud.witness.until(teller.id, "ACTIVE")
    counts = [await pairs(cloud, teller.id)]
    here = teller.here()
    wrong = []
    for words, told in (
        (("set", teller.id, "--name", "n" * 300), "name has 300 characters, and 255 are the most."),
        (("set", teller.id), "Nothing was given to change."),
        (("set", teller.id, "--access-ipv6", "1.2.3.4"), "1.2.3.4"),
        (("set", teller.id, "--access-ipv6="), "has no access IPv6 to be taken away."),
        (("set", teller.id, "--hostname", "web_1"), "Host name 'web_1'"),
        (("reset", "state", teller.id, "--state", "none"), "--state knows no 'none'."),
        (("metadata", "set", teller.id), "Nothing was given to set or remove."),
        (("metadata", "set", teller.id, "--metadata", "k/y=v"), "metadata key 'k/y'"),
        (("tags", "set", teller.id, *[f"--tag=t{n}" for n in range(51)]), "51 tags were given, and 50 are the most."),
        (("resize", teller.id, "--flavor", "m9.none"), "There is no flavor 'm9.none'."),
        (("resize", teller.id, "--flavor", cloud.tiny), f"has {cloud.tiny} already"),
        (("rebuild", teller.id, "--image", "none", "--yes"), "There is no image 'none'."),
        (("backup", "create", teller.id, "--name", "x", "--rotation", "0"), "keep cannot be below 1."),
        (("backup", "create", teller.id, "--name", "x", "--rotation", "some"), "needs a whole number, not 'some'."),
        (("reset", "state", teller.id), "Only an administrator"),
    ):
        said = await run("server", *words, *here)
        if said.code not in (1, 2) or told not in said.err or said.err.count("\n") != 1:
            wrong.append(f"{' '.join(words)[:80]}: {told!r} is not in {said}")
    assert wrong == [], "\n".join(wrong)
    said = await run("server", "metadata", "set", teller.id, *MANY, *here)
    counts.append(await pairs(cloud, teller.id))  # it may have told meanwhile where its guest is
    told = [f"would have {count + len(MANY)} metadata pairs, and 128 are the most.\n" for count in counts]
    assert said.code in (1, 2) and said.err.endswith(tuple(told)), said
    late = await run("server", "clone", teller.id, "--name", "x", "--key-name", "none", *here)
    assert (late.code, "There is no key pair 'none'." in late.err.splitlines()[-1]) == (1, True), late
    assert audit_lines() == []
