"""Accounts come from the files and variables that users have; one broken entry never hides the good ones."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from scripted_cloud import self_signed, serving, tls_context

from console.clouds.accounts import Accounts, cloud_names, find_accounts, in_thread
from console.clouds.connect import connect
from console.errors import CloudError, OverLimit, Unauthorized, Unreachable
from console.wire.transport import Tls

AUTH = {"auth_url": "http://keystone.example/v3", "username": "demo", "password": "pw", "project_name": "demo"}
AUTH |= {"user_domain_name": "Default", "project_domain_name": "Default"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any cloud."""
    for name in list(os.environ):
        if name.startswith(("OS_", "XDG_")) or name == "SNAP_REAL_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, tree: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False))
    return path


def clouds(home: Path, name: str = "clouds.yaml", **entries: Any) -> Path:
    section = "public-clouds" if name == "clouds-public.yaml" else "clouds"
    return write(home / ".config/openstack" / name, {section: entries})


def places(found: Accounts) -> list[str]:
    return [str(account.place) for account in found.accounts]


def problem(found: Accounts) -> str:
    assert len(found.problems) == 1, found.problems
    return str(found.problems[0])


def test_without_any_cloud_it_is_told_where_was_looked(home: Path) -> None:
    found = find_accounts()
    assert (found.accounts, found.problems, found.names, found.default) == ((), (), (), None)
    assert str(home / ".config/openstack/clouds.yaml") in found.looked_for
    assert "OS_CLIENT_CONFIG_FILE" in found.looked_for
    assert "/etc/openstack/clouds.yaml" in found.looked_for


def test_entries_regions_secrets_and_profiles_are_merged(home: Path) -> None:
    clouds(
        home,
        one={"auth": {k: v for k, v in AUTH.items() if k != "password"}, "region_name": "A"},
        many={"auth": AUTH, "regions": ["A", {"name": "B", "values": {"interface": "internal"}}]},
        mine={"profile": "vendor", "auth": {"username": "u", "password": "p"}},
        none={"auth": AUTH},
    )
    clouds(home, "secure.yaml", one={"auth": {"password": "from secure"}})
    clouds(home, "clouds-public.yaml", vendor={"auth": {"auth_url": "http://vendor.example/v3"}, "regions": ["V"]})
    found = find_accounts()
    assert found.problems == ()
    assert places(found) == ["one/A", "many/A", "many/B", "mine/V", "none"]
    assert found.accounts[0].missing == ()
    assert [account.settings.interface for account in found.accounts] == [
        "public",
        "public",
        "internal",
        "public",
        "public",
    ]
    assert found.accounts[1].entry is found.accounts[2].entry  # one login for both regions
    assert found.accounts[4].region is None
    assert list(found.names) == cloud_names() == ["one", "many", "mine", "none"]


def test_variables_make_a_cloud_and_os_cloud_names_the_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(home / "elsewhere.yaml", {"clouds": {"a": {"auth": AUTH}, "b": {"auth": AUTH}}})
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    monkeypatch.setenv("OS_CLOUD", "b")
    assert (find_accounts().names, find_accounts().default) == (("a", "b"), "b")
    for name, value in (AUTH | {"region_name": "R"}).items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    found = find_accounts(["envvars"])
    assert (places(found), found.problems) == (["envvars/R"], ())
    assert found.accounts[0].missing == ()
    assert any(text == f"OS_CLIENT_CONFIG_FILE={path}" for text in found.looked_for)


def test_a_stray_variable_makes_no_cloud(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_IDENTITY_API_VERSION", "3")
    clouds(home, one={"auth": AUTH})
    found = find_accounts()
    assert (places(found), found.problems) == (["one"], ())


def test_asked_regions_choose_among_those_named_and_name_what_no_entry_names(home: Path) -> None:
    clouds(
        home, many={"auth": AUTH, "regions": ["A", "B"]}, none={"auth": AUTH}, other={"auth": AUTH, "region_name": "Z"}
    )
    assert places(find_accounts(regions=["B"])) == ["many/B", "none/B"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("clouds:\n  a:\n   auth: {x: [1,\n  b: 2", "clouds.yaml, line 4"),
        ("clouds:\n\ta: 1\n", "clouds.yaml, line 2"),
        ("just text", "clouds.yaml, line 1: this is no mapping"),
        ("clouds: [a, b]", "clouds.yaml: 'clouds' is no mapping"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(home: Path, text: str, told: str) -> None:
    write(home / ".config/openstack/clouds.yaml", text)
    found = find_accounts()
    assert any(told in str(error) for error in found.problems)
    assert found.accounts == ()


def test_a_syntax_error_does_not_hide_the_clouds_of_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".config/openstack/clouds.yaml", "clouds: {a: [")
    for name, value in AUTH.items():
        monkeypatch.setenv(f"OS_{name.upper()}", value)
    found = find_accounts()
    assert places(found) == ["envvars"]
    assert "line 1" in problem(found)


def test_folders_that_cannot_be_looked_into_hold_no_clouds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_AUTH_URL", AUTH["auth_url"])
    for name in ("username", "password", "project_name", "user_domain_name", "project_domain_name"):
        monkeypatch.setenv(f"OS_{name.upper()}", AUTH[name])
    assert places(find_accounts()) == ["envvars"]
    gone = home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("HOME", str(home / ("x" * 300)))  # as a folder of somebody else's: no answer but an error
    found = find_accounts()
    assert (places(found), found.problems) == (["envvars"], ())


def test_an_unknown_cloud_is_named_with_the_known_ones(home: Path) -> None:
    clouds(home, one={"auth": AUTH}, two={"auth": AUTH})
    found = find_accounts(["two", "tow"])
    assert places(found) == ["two"]
    assert problem(found) == "no cloud named tow was found: there are one, two."


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"auth": AUTH, "auth_type": "v3magic"}, "cloud bad: .*v3magic"),
        ({"auth": {"username": "u"}}, "cloud bad: the entry lacks auth_url"),
        ({"auth": AUTH, "cacert": "/no/such/file"}, "cloud bad: cacert /no/such/file does not exist"),
        ({"auth": AUTH, "cert": "/no/such/cert"}, "cloud bad: the client certificate /no/such/cert does not exist"),
        ({"auth": AUTH, "api_timeout": "soon"}, "cloud bad: api_timeout 'soon' is no number"),
        ({"auth": AUTH, "rate_limit": {"compute": "few"}}, "cloud bad: rate_limit 'few' is no number"),
        ({"auth": AUTH, "regions": [{"values": {}}]}, "cloud bad: Invalid region entry"),
        ("text", "cloud bad"),
        (None, "cloud bad"),
    ],
)
def test_a_broken_entry_is_a_problem_beside_the_good_ones(home: Path, entry: object, told: str) -> None:
    clouds(home, good={"auth": AUTH}, bad=entry)
    found = find_accounts()
    assert places(found) == ["good"]
    assert re.search(told, problem(found))
    assert "pw" not in problem(found)


def test_the_ways_to_the_services_are_taken_from_the_entry(home: Path) -> None:
    ca = write(home / "ca.pem", "x")
    entry = {
        "auth": AUTH,
        "interface": "internalURL",
        "image_interface": "admin",
        "compute_endpoint_override": "http://c/v2.1",
        "api_timeout": 7,
        "cacert": str(ca),
    }
    clouds(home, one=entry, two={"auth": AUTH, "verify": False})
    one, two = find_accounts().accounts
    assert (one.settings.interface, one.settings.interfaces["image"]) == ("internal", "admin")
    assert one.settings.overrides == {"compute": "http://c/v2.1"}
    assert (one.settings.timeout, one.settings.tls) == (7, Tls(str(ca)))
    assert two.settings.tls == Tls(False)


def test_how_often_may_be_asked_is_taken_from_the_entry_and_the_account_is_named_without_secrets(home: Path) -> None:
    clouds(home, one={"auth": AUTH, "rate_limit": {"compute": 1.5}}, two={"auth": AUTH | {"username": "bob"}})
    one, two = find_accounts().accounts
    assert (one.settings.rate, two.settings.rate) == (1.5, None)
    assert one.entry.who != two.entry.who
    assert not any(AUTH["password"] in word for word in one.entry.who)


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        ({"auth": {k: v for k, v in AUTH.items() if k != "password"}}, ("password",)),
        ({"auth_type": "v3totp", "auth": {k: v for k, v in AUTH.items() if k != "password"}}, ("passcode",)),
        (
            {
                "auth_type": "v3applicationcredential",
                "auth": {"auth_url": "http://k/v3", "application_credential_id": "i"},
            },
            ("application_credential_secret",),
        ),
    ],
)
async def test_what_a_person_must_tell_is_missing_and_no_login_is_tried(
    home: Path, entry: dict[str, Any], missing: tuple[str, ...]
) -> None:
    clouds(home, one=entry)
    found = find_accounts()
    assert found.problems == ()
    (account,) = found.accounts
    assert account.missing == missing
    with pytest.raises(Unauthorized, match=missing[0]):
        await account.entry.auth.token()
    told = account.with_secrets(**dict.fromkeys(missing, "told"))
    assert (told.missing, account.entry.auth.refused) == ((), False)


async def test_a_password_that_was_told_logs_in_and_is_kept_in_memory_alone(home: Path) -> None:
    async with serving() as cloud:
        auth = {k: v for k, v in AUTH.items() if k != "password"} | {"auth_url": f"{cloud.url}/identity/v3"}
        path = clouds(home, one={"auth": auth})
        (account,) = find_accounts().accounts
        account.with_secrets(password="wrong")
        with pytest.raises(Unauthorized) as refused:
            await account.entry.auth.token()
        assert refused.value.request_id == "req-login"
        assert "refuses the login: The request you have made requires authentication" in refused.value.message
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await account.entry.auth.token()
        assert cloud.logins == 1  # a refused login is not tried again by itself
        account.with_secrets(password="right")
        token = await account.entry.auth.token()
        access = account.entry.access
    assert token.headers["X-Auth-Token"] == "t2"
    assert access is not None
    assert (access.project, access.roles, access.life) == ("demo␛[2J", {"member", "reader"}, token.life)
    assert "right" not in path.read_text()
    assert "t2" not in repr(access)


async def login_error(home: Path, url: str, **entry: Any) -> CloudError:
    clouds(home, one={"auth": AUTH | {"auth_url": url}, "api_timeout": 3} | entry)
    (account,) = find_accounts().accounts
    with pytest.raises(CloudError) as caught:
        await account.entry.auth.token()
    assert "pw" not in str(caught.value)
    return caught.value


async def test_a_keystone_that_is_not_there_is_unreachable_in_one_sentence(home: Path) -> None:
    error = await login_error(home, "http://127.0.0.1:1/v3")
    assert isinstance(error, Unreachable)
    assert str(error) == "one: http://127.0.0.1:1/v3 cannot be reached: connection refused."


@pytest.mark.parametrize(
    ("status", "header", "wait"), [(429, "90", 90.0), (413, "", 5.0), (503, "600", 600.0), (503, "", None)]
)
async def test_a_keystone_that_asks_for_patience_is_told_as_one(
    home: Path, status: int, header: str, wait: float | None
) -> None:
    async with serving() as cloud:
        headers = {"Retry-After": header} if header else {}
        cloud.no_login = lambda request: web.json_response({}, status=status, headers=headers)
        error = await login_error(home, f"{cloud.url}/identity/v3")
    assert error.status == status
    assert (error.retry_after if isinstance(error, OverLimit) else None) == wait


async def test_an_untrusted_keystone_is_one_clear_sentence_and_its_authority_mends_it(home: Path) -> None:
    certificate = self_signed(home)
    async with serving(context=tls_context(certificate)) as cloud:
        url = f"{cloud.url}/identity/v3"
        error = await login_error(home, url)
        assert isinstance(error, Unreachable)
        assert error.message == f"the certificate of {url} is not trusted: self-signed certificate."
        assert "cacert" in error.hint
        for trust in ({"cacert": str(certificate[0])}, {"verify": False}):
            clouds(home, one={"auth": AUTH | {"auth_url": url, "password": "right"}, "region_name": "one"} | trust)
            (account,) = find_accounts().accounts
            await (await connect(account)).close()
    assert cloud.paths()[-1] == "GET /compute/v2.1/"


async def test_a_plugin_that_needs_no_keystone_signs_by_its_own_headers(home: Path) -> None:
    entry = {"auth_type": "admin_token", "auth": {"endpoint": "http://c/v2.1", "token": "tok"}, "region_name": "A"}
    clouds(home, one=entry)
    (account,) = find_accounts().accounts
    assert (await account.entry.auth.token()).headers == {"X-Auth-Token": "tok"}


async def test_a_hanging_thread_holds_up_neither_another_nor_the_end() -> None:
    gate = threading.Event()
    try:
        tasks = [asyncio.create_task(in_thread(gate.wait)) for _ in range(40)]
        assert await in_thread(lambda: 7) == 7
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        gate.set()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


def test_finding_nothing_imports_nothing_heavy_before_it_is_asked() -> None:
    code = "import sys, console.clouds.connect; print([m for m in ('openstack', 'keystoneauth1') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
