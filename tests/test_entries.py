"""Clouds that stand in the settings file or in a credential file of pyrax, and what their dialect is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from console.clouds.accounts import Account
from console.core.entries import look
from console.core.settings import Paths, explain

OLD = """
[clouds.old]
read_only = true
auth_type = "firstgen_apikey"
auth = {auth_url = "http://127.0.0.1:1/v1.0", username = "demo", api_key = "s3cret"}
"""
PYRAX = "[rackspace_cloud]\nusername = demo\napi_key = s3cret%\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def options(account: Account) -> dict[str, str]:
    return account.entry._options


def test_an_entry_of_the_settings_is_a_cloud_like_any_other(home: Path) -> None:
    write(Paths().config_file, OLD)
    found = look()
    assert (found.names, found.problems, found.default) == (("old",), (), None)
    (account,) = found.accounts
    assert (str(account.place), account.region, account.settings.dialect) == ("old", None, "firstgen")
    assert options(account)["api_key"] == "s3cret"
    assert "s3cret" not in repr(list(explain(Paths())))


def test_it_stands_beside_those_of_clouds_yaml_and_may_ask_for_its_key(home: Path) -> None:
    write(home / "clouds.yaml", "clouds: {new: {auth: {auth_url: http://x/v3, username: u, password: p}}}")
    write(Paths().config_file, OLD.replace(', api_key = "s3cret"', ""))
    found = look()
    assert found.names == ("new", "old")
    assert [account.missing for account in found.accounts] == [(), ("api_key",)]


def test_a_login_that_others_may_read_is_told(home: Path) -> None:
    write(Paths().config_file, OLD)
    Paths().config_file.chmod(0o644)
    assert [str(problem) for problem in look().problems] == [
        f"{Paths().config_file} holds a login and others may read it: chmod 600 it."
    ]


def test_pyrax_needs_no_entry_at_all(home: Path) -> None:
    write(home / ".rackspace_cloud_credentials", PYRAX)
    found = look()
    (account,) = found.accounts
    assert (found.names, str(account.place), account.settings.dialect) == (("rackspace",), "rackspace", "rackspace")
    assert options(account) == {
        "auth_url": "https://identity.api.rackspacecloud.com/v2.0",
        "username": "demo",
        "api_key": "s3cret%",
    }
    write(
        home / ".pyrax.cfg", "[uk]\nidentity_type = rackspace\nregion = LON\nauth_endpoint = https://lon.example/v2.0\n"
    )
    (account,) = look().accounts
    assert (account.region, options(account)["auth_url"]) == ("LON", "https://lon.example/v2.0")


def test_a_file_of_pyrax_may_be_named_and_read_as_the_first_generation(home: Path) -> None:
    write(home / "mine", PYRAX)
    write(Paths().config_file, '[clouds.old]\npyrax_file = "~/mine"\ndialect = "firstgen"\n')
    (account,) = look().accounts
    assert (str(account.place), account.settings.dialect) == ("old", "firstgen")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[keystone]\nusername = x\n", "has no section [rackspace_cloud]."),
        ("[rackspace_cloud]\napi_key = x\n", "[rackspace_cloud] has no username."),
        ("[rackspace_cloud\nx", "line 1"),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_a_credential_file_that_cannot_be_used_is_one_sentence(home: Path, text: str | None, why: str) -> None:
    if text is not None:
        write(home / "mine", text)
    write(Paths().config_file, '[clouds.old]\npyrax_file = "~/mine"\n')
    (problem, *_) = look().problems
    assert str(home / "mine") in str(problem) and why in str(problem)


@pytest.mark.parametrize(
    ("entry", "dialect"),
    [
        ("auth_type: firstgen_apikey", "firstgen"),
        ("auth_type: rackspace_apikey", "rackspace"),
        ("{auth_type: rackspace_apikey, novadeck_dialect: firstgen}", "firstgen"),
        ("{auth_type: rackspace_apikey, compute_service_name: cloudServers}", "firstgen"),
        ("{auth_type: v2password, compute_service_name: cloudServersOpenStack}", "rackspace"),
        ("{auth_type: v2password}", "openstack"),
        ("{auth_type: rackspace_apikey, profile: rackspace}", "rackspace"),
    ],
)
def test_the_dialect_follows_from_what_the_entry_says(home: Path, entry: str, dialect: str) -> None:
    secret = "api_key" if "apikey" in entry else "password"
    auth = "auth: {auth_url: http://127.0.0.1:1/v2.0, username: u, " + secret + ": s}"
    inner = f"{entry.strip('{}')}, {auth}"
    write(home / "clouds.yaml", "clouds: {one: {" + inner + "}}")
    found = look()
    assert {account.settings.dialect for account in found.accounts} == {dialect}
    assert found.problems == ()


@pytest.mark.parametrize("value", ["text", 1, 1.5, [1], ["a"], [{"x": 1}], {"a": 1}, True, None, ""])
@pytest.mark.parametrize(
    "key", ["auth", "auth_type", "profile", "region_name", "regions", "networks", "cacert", "cert", "cloud", "auth_url"]
)
def test_no_entry_of_whatever_shape_stops_the_reading(home: Path, key: str, value: object) -> None:
    auth: dict[str, object] = {"auth_url": "http://x/v3", "username": "u", "password": "p", "project_name": "q"}
    odd = {"auth": auth, "region_name": "A"}
    if key == "auth_url":
        auth[key] = value
    else:
        odd[key] = value
    write(home / "clouds.yaml", yaml.safe_dump({"clouds": {"odd": odd, "good": {"auth": GOOD, "region_name": "A"}}}))
    found = look()
    assert "good/A" in [str(account.place) for account in found.accounts]
    assert all("odd" in str(problem) for problem in found.problems)


GOOD = {"auth_url": "http://x/v3", "username": "u", "password": "p", "project_name": "q"}


def test_a_bug_of_ours_is_no_fault_of_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("console.clouds.accounts.reach", broken)
    write(home / "clouds.yaml", yaml.safe_dump({"clouds": {"good": {"auth": GOOD, "region_name": "A"}}}))
    with pytest.raises(ZeroDivisionError):
        look()
