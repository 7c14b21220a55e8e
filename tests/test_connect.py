"""From a catalog of any shape to the right address, version and standing; and the one table of providers."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from scripted_cloud import PROJECT, ScriptedCloud, compute, serving

from console.clouds.connect import DIALECTS, beside, connect
from console.clouds.openstack.catalog import canonical, find_endpoint, put_together, regions, take_apart
from console.clouds.openstack.cloud import OpenStack, privilege
from console.clouds.openstack.service import Spoken, Version, best_version
from console.errors import BadReply, CloudFault, NotFound, Unauthorized, Unreachable

SERVERS = {"servers": []}


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h:8774/v2.1", ("http://h:8774", "v2.1", "")),
        ("http://h:8774/v2.1/", ("http://h:8774", "v2.1", "")),
        (f"http://h:8774/v2.1/{PROJECT}", ("http://h:8774", "v2.1", PROJECT)),
        (f"https://h/compute/v2/{PROJECT}/", ("https://h/compute", "v2", PROJECT)),
        ("https://h/compute", ("https://h/compute", "", "")),
        (f"https://h/compute/{PROJECT}", ("https://h/compute", "", PROJECT)),
        ("https://h//compute//v2.1//", ("https://h/compute", "v2.1", "")),
        ("http://[::1]:9292/", ("http://[::1]:9292", "", "")),
    ],
)
def test_an_endpoint_is_taken_apart_and_put_together(url: str, parts: tuple[str, str, str]) -> None:
    assert take_apart(url, PROJECT) == parts
    assert "//" not in put_together(*parts).partition("://")[2]
    assert take_apart(put_together(*parts), PROJECT) == parts


def test_two_ways_of_writing_one_service_have_one_name() -> None:
    ways = (
        f"HTTPS://Cloud.Example:443/compute/v2.1/{PROJECT}",
        "https://cloud.example/compute",
        "https://cloud.example/compute/v2/",
    )
    assert {canonical(way, PROJECT) for way in ways} == {"https://cloud.example/compute"}
    assert canonical("http://[FE80::1]:8774/v2.1") == "http://[fe80::1]:8774"
    assert canonical("http://h:8774/v2.1") != canonical("http://h:8775/v2.1")


def listed(kind: str, *endpoints: tuple[str, str, str], name: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "endpoints": [{"interface": i, "region_id": r, "region": r, "url": u} for i, r, u in endpoints],
    }


def test_the_wanted_interface_is_used_or_the_next_best() -> None:
    catalog = [
        listed("compute", ("internal", "A", "http://int"), ("public", "A", "http://pub"), ("public", "B", "http://b"))
    ]
    found = find_endpoint(catalog, ("compute",), interface="internal", region="A")
    assert found == ("http://int", "A", "http://pub")
    assert find_endpoint(catalog, ("compute",), interface="internal", region="B") == ("http://b", "B", "http://b")
    assert find_endpoint(catalog, ("compute",), interface="admin", region="A") == ("http://pub", "A", "http://pub")
    assert find_endpoint(catalog, ("compute",), region="a") is None  # names of regions are case-sensitive
    assert find_endpoint(catalog, ("compute",)) == ("http://pub", "A", "http://pub")
    assert find_endpoint(catalog, ("image",)) is None


def test_first_generation_servers_under_the_same_type_are_not_mistaken_for_these() -> None:
    catalog = [
        listed("compute", ("public", "", "https://servers.api/v1.0/1"), name="cloudServers"),
        listed("compute", ("public", "DFW", "https://dfw/v2/1"), ("public", "ORD", "https://ord/v2/1"), name="next"),
    ]
    assert regions(catalog) == ["DFW", "ORD"]
    found = find_endpoint(catalog, ("compute",))
    assert found is not None
    assert found.region == "DFW"


@pytest.mark.parametrize(
    ("tree", "spoken"),
    [
        (compute(), Spoken("v2.1", Version(2, 1), Version(2, 96))),
        (compute(highest="", lowest=""), Spoken("v2.1", None, None)),
        (
            {"versions": [{"id": "v2.0", "version": "", "status": "SUPPORTED"}, compute()["version"]]},
            Spoken("v2.1", Version(2, 1), Version(2, 96)),
        ),
        ({"choices": [compute(id="v2.1")["version"]]}, Spoken("v2.1", Version(2, 1), Version(2, 96))),
        ({"versions": {"values": [{"id": "v2.0", "status": "CURRENT"}]}}, Spoken("v2.0", None, None)),
        ({"versions": [{"id": "v2.0", "status": "SUPPORTED", "version": ""}]}, Spoken("v2.0", None, None)),
        ({}, Spoken("v2.1", None, None)),
        ([], Spoken("v2.1", None, None)),
        ({"versions": "none"}, Spoken("v2.1", None, None)),
        ({"version": {"id": 5, "version": "new"}}, Spoken("5", None, None)),
    ],
)
def test_a_version_document_of_any_shape_is_read(tree: Any, spoken: Spoken) -> None:
    assert best_version(tree, "v2.1") == spoken


async def asked(cloud: ScriptedCloud, region: str | None = "one", **reach: Any) -> OpenStack:
    """Connect, list the servers, and close again."""
    dialect = await connect(cloud.account(region, **reach))
    assert isinstance(dialect, OpenStack)
    try:
        assert [row async for page in dialect.servers() for row in page] == []
    finally:
        await dialect.close()
    return dialect


@pytest.mark.parametrize(
    ("listed_as", "document", "highest", "servers"),
    [
        ("/compute/v2.1", "/compute/v2.1/", "2.96", "/compute/v2.1/servers/detail"),
        ("/compute/v2.1/", "/compute/v2.1/", "2.96", "/compute/v2.1/servers/detail"),
        (f"/compute/v2.1/{PROJECT}", "/compute/v2.1/", "2.96", f"/compute/v2.1/{PROJECT}/servers/detail"),
        ("/compute", "/compute/", "2.96", "/compute/v2.1/servers/detail"),
        ("/compute", "/compute/", "2.12", f"/compute/v2.1/{PROJECT}/servers/detail"),
        (f"/v2/{PROJECT}", "/v2/", "", f"/v2/{PROJECT}/servers/detail"),
    ],
)
async def test_the_services_address_is_found_however_it_is_listed(
    listed_as: str, document: str, highest: str, servers: str
) -> None:
    def prepare(cloud: ScriptedCloud) -> None:
        cloud.offer("compute", listed_as)
        cloud.answers |= {document: compute(highest=highest), servers: SERVERS}

    async with serving(prepare) as cloud:
        await asked(cloud)
        assert cloud.paths() == [f"GET {document}", f"GET {servers}"]


async def test_a_service_that_hides_its_versions_is_asked_without_one() -> None:
    for answer in ((404, {}), (403, {}), (401, {}), "text", (400, {})):
        async with serving() as cloud:
            cloud.answers |= {"/compute/v2.1/": answer, "/compute/v2.1/servers/detail": SERVERS}
            dialect = await asked(cloud)
            assert dialect.version is None
            assert "X-OpenStack-Nova-API-Version" not in cloud.last()[0].headers


async def test_a_service_that_is_down_is_told_as_what_it_is() -> None:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/"] = (500, {"computeFault": {"code": 500, "message": "The server has erred."}})
        with pytest.raises(CloudFault, match="erred"):
            await connect(cloud.account())
    with pytest.raises(Unreachable):
        await connect(cloud.account())


async def test_an_answer_that_was_lost_on_the_way_is_none_of_a_cloud_without_versions() -> None:
    async with serving() as cloud:
        cut = web.Response(body=b'{"vers', headers={"Content-Encoding": "gzip"}, content_type="application/json")
        cloud.answers["/compute/v2.1/"] = lambda request: cut
        with pytest.raises(BadReply, match="cut off or could not be unpacked"):
            await connect(cloud.account())


async def test_an_override_beats_the_catalog_and_may_name_the_project() -> None:
    async with serving() as cloud:
        path = f"/other/v2.1/{PROJECT}/servers/detail"
        cloud.answers |= {"/other/v2.1/": compute(), path: SERVERS}
        dialect = await asked(cloud, overrides={"compute": f"{cloud.url}/other/v2.1/%(project_id)s"})
        assert cloud.paths()[-1] == f"GET {path}"
        assert dialect.origin.endpoint == f"{cloud.url}/compute"  # it is the same cloud still


async def test_who_is_connected_and_in_what_standing() -> None:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/servers/detail"] = SERVERS
        origin = (await asked(cloud)).origin
    assert (origin.project_id, origin.project, origin.privilege) == (PROJECT, "demo␛[2J", 1)
    assert (str(origin.place), origin.endpoint) == ("lab/one", f"{cloud.url}/compute")
    assert [
        privilege(frozenset(roles)) for roles in ({"admin", "member"}, {"reader"}, set(), {"member", "reader"})
    ] == [
        2,
        0,
        1,
        1,
    ]


async def test_an_entry_without_a_region_gives_one_place_for_each_of_the_catalog() -> None:
    def prepare(cloud: ScriptedCloud) -> None:
        for region in ("two", "one", "three"):
            cloud.offer("compute", f"/{region}/v2.1", region)
            cloud.answers |= {f"/{region}/v2.1/": compute(), f"/{region}/v2.1/servers/detail": SERVERS}
        cloud.offer("image", "/image", "elsewhere")

    async with serving(prepare) as cloud:
        account = cloud.account(None)
        assert beside(account) == ()
        dialect = await connect(account)
        await dialect.close()
        assert (str(dialect.origin.place), dialect.origin.endpoint) == ("lab", f"{cloud.url}/one")
        others = beside(account)
        assert [str(other.place) for other in others] == ["lab/three", "lab/two"]
        further = await connect(others[0])
        await further.close()
        assert further.origin.endpoint == f"{cloud.url}/three"
        assert cloud.logins == 1  # they share one token
        assert beside(others[0]) == ()


async def test_a_region_of_the_catalog_is_cleaned_as_any_text_from_outside() -> None:
    async with serving() as cloud:
        cloud.offer("compute", "/two/v2.1", "t\x1b[2Jwo")
        account = cloud.account(None)
        cloud.answers["/compute/v2.1/"] = compute()
        await (await connect(account)).close()
        assert [str(other.place) for other in beside(account)] == ["lab/t␛[2Jwo"]
        with pytest.raises(NotFound, match="t␛\\[2Jwo; case matters"):
            await connect(cloud.account("One"))


async def test_an_unknown_region_is_told_with_the_known_ones() -> None:
    async with serving() as cloud:
        with pytest.raises(NotFound, match=r"region One \(regions with one: one; case matters\)"):
            await connect(cloud.account("One"))


async def test_a_refused_login_names_the_place_and_is_final() -> None:
    async with serving() as cloud:
        cloud.password = "changed"
        account = cloud.account()
        for _ in range(3):
            with pytest.raises(Unauthorized) as caught:
                await connect(account)
            assert str(caught.value).startswith("lab/one: ")
        assert cloud.logins == 1
        cloud.password = "right"
        account.entry.auth.retry()
        await (await connect(account)).close()


async def test_a_catalog_with_nonsense_in_it_is_a_bad_reply() -> None:
    async with serving(lambda cloud: cloud.offer("compute", "http://[broken/v2.1")) as cloud:
        with pytest.raises(BadReply, match="address that is none"):
            await connect(cloud.account())


async def test_the_clouds_time_and_the_trace_are_passed_on() -> None:
    lines: list[str] = []
    moment = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    async with serving() as cloud:
        dialect = await connect(cloud.account(), clock_now=lambda: moment, trace=lines.append)
        await dialect.close()
    assert abs(dialect.now() - moment) < dt.timedelta(seconds=30)
    assert lines
    assert all("t1" not in line.replace("http", "") for line in lines)


async def test_a_provider_is_one_line_in_the_table() -> None:
    async with serving() as cloud:
        account = dataclasses.replace(
            cloud.account(), settings=dataclasses.replace(cloud.account().settings, dialect="mine")
        )
        with pytest.raises(CloudFault, match="no dialect is named mine"):
            await connect(account)
    assert set(DIALECTS) >= {"openstack"}


async def test_two_consoles_of_one_account_share_what_it_may_ask(tmp_path: Path) -> None:
    async with serving() as cloud:
        cloud.answers["/compute/v2.1/servers/detail"] = SERVERS
        one, two = [await connect(cloud.account("one", rate=1.0), runtime=tmp_path) for _ in range(2)]
        left = one.pace.figure.left
        async for _ in two.servers():
            pass
        assert one.pace.figure == (left - 1, 60, 60)
        await one.close()
        await two.close()
