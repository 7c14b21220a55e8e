"""On a bad day: whatever the embedded cloud does wrong, a reader gets one clear error of the tree, and then heals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.clouds.accounts import Account, find_accounts
from console.clouds.connect import connect
from console.clouds.dialect import Dialect
from console.errors import BadReply, CloudError, CloudFault, OverLimit, Unreachable
from console.sim.estate import Estate

BAD: dict[str, tuple[dict[str, Any], type[CloudError]]] = {
    "status": ({"status": 500}, CloudFault),
    "busy": ({"does": "status", "status": 429, "retry_after": "600"}, OverLimit),
    "proxy": ({"status": 502}, CloudFault),
    "reset": ({}, Unreachable),
    "hang": ({}, Unreachable),
    "garbage": ({}, BadReply),
    "html": ({}, BadReply),
    "empty": ({}, BadReply),
    "cut": ({}, BadReply),
    "types": ({}, BadReply),
}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with Estate(servers=6, clouds=1, regions=1, guests=0, speed=50) as estate:
        yield estate


def account(estate: Estate, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The first user's account, whose requests may take one second."""
    tree = estate.clouds_yaml()
    name = next(iter(tree["clouds"]))
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {name: tree["clouds"][name] | {"api_timeout": 1}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    found = find_accounts([name])
    assert found.problems == ()
    return found.accounts[0]


async def rows(pages: Any) -> list[Any]:
    return [row async for page in pages for row in page]


async def failure(question: Any) -> CloudError:
    with pytest.raises(CloudError) as caught:
        await question
    told = str(caught.value)
    assert "\n" not in told
    assert told.isprintable()
    assert len(told) < 600
    return caught.value


@pytest.mark.parametrize("trouble", BAD)
async def test_each_trouble_is_one_clear_error_and_passes(
    trouble: str, estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, kind = BAD[trouble]
    own = account(estate, tmp_path, monkeypatch)
    dialect: Dialect = await connect(own)
    known = await rows(dialect.servers())
    asked = {"does": trouble} | given
    rule = estate.control.trouble.add(service="compute", **asked)
    try:
        for question in (lambda: rows(dialect.servers()), lambda: dialect.server(known[0].id)):
            error = await failure(question())
            assert isinstance(error, kind), error
            assert error.place == str(own.place)
        estate.control.trouble.clear(rule)
        if kind is not OverLimit:  # that one waits as it was told
            assert [row.id for row in await rows(dialect.servers())] == [row.id for row in known]
    finally:
        await dialect.close()


@pytest.mark.parametrize("trouble", [name for name in BAD if name not in ("busy", "types")])
async def test_a_login_in_trouble_is_an_error_of_the_tree_too(
    trouble: str, estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, _ = BAD[trouble]
    own = account(estate, tmp_path, monkeypatch)
    rule = estate.control.trouble.add(service="identity", **({"does": trouble} | given))
    error = await failure(connect(own))
    assert str(own.place) in str(error)
    estate.control.trouble.clear(rule)
    own.entry.auth.retry()
    await (await connect(own)).close()
