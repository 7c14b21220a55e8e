"""Glance's and Neutron's verbs over real HTTP: relative links, filters, snapshots, and images that just go away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from scripted_cloud import ScriptedCloud, compute, serving

from console.clouds.connect import connect
from console.clouds.openstack.cloud import OpenStack
from console.errors import BadReply, NotFound, OverLimit


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[ScriptedCloud, OpenStack]]:
    async with serving() as cloud:
        dialect = await connect(cloud.account())
        assert isinstance(dialect, OpenStack)
        try:
            yield cloud, dialect
        finally:
            await dialect.close()


async def rows(pages: Any) -> list[Any]:
    return [row async for page in pages for row in page]


BASE = {"id": "i1", "name": "debian-12", "status": "active", "visibility": "public", "size": 5, "tags": []}
SNAPSHOT = {
    "id": "i2",
    "name": "snap",
    "status": "queued",
    "size": None,
    "instance_uuid": "s1",
    "image_type": "snapshot",
}


@pytest.mark.parametrize("link", ["/v2/images?limit=1000&marker=i1", "/image/v2/images?limit=1000&marker=i1"])
async def test_pages_follow_a_relative_link_with_or_without_the_prefix(link: str) -> None:
    async with opened() as (cloud, glance):
        cloud.answers["/image/v2/images"] = {"images": [BASE], "next": link, "first": "/v2/images", "schema": "x"}
        cloud.answers["/image/v2/images?limit=1000&marker=i1"] = {"images": [SNAPSHOT], "first": "/v2/images"}
        first = await rows(glance.images())
        again = await rows(glance.images())
    assert [(image.name, image.snapshot, image.server_id) for image in first] == [
        ("debian-12", False, None),
        ("snap", True, "s1"),
    ]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert cloud.paths("/image")[0] == "GET /image/v2/images?limit=1000"
    assert "X-OpenStack-Nova-API-Version" not in cloud.last()[0].headers


async def test_filters_are_sent_as_glance_wants_them() -> None:
    async with opened() as (cloud, glance):
        cloud.answers["/image/v2/images"] = {"images": []}
        await rows(glance.images(filters={"name": "a b", "status": "ACTIVE", "visibility": "private"}))
        await rows(
            glance.images(filters={"status": ["queued", "saving"], "server_id": "s1", "hidden": True, "owner": None})
        )
    assert cloud.paths("/image") == [
        "GET /image/v2/images?limit=1000&name=a+b&status=active&visibility=private",
        "GET /image/v2/images?limit=1000&status=in%3Aqueued%2Csaving&instance_uuid=s1&os_hidden=true",
    ]


async def test_one_image_is_read_and_a_failed_snapshot_is_gone() -> None:
    async with opened() as (cloud, glance):
        cloud.answers["/image/v2/images/i2"] = SNAPSHOT
        image = await glance.image("i2")
        assert (image.status, image.in_flight, image.key.kind) == ("queued", True, "image")
        with pytest.raises(NotFound):
            await glance.image("i3")
        cloud.answers["/image/v2/images/i2"] = ["no image"]
        with pytest.raises(BadReply, match="no image"):
            await glance.image("i2")


async def test_properties_are_added_or_replaced_and_our_marks_are_read() -> None:
    async with opened() as (cloud, glance):
        cloud.answers["PATCH /image/v2/images/i2"] = SNAPSHOT
        await glance.set_image("i2", {"a/b~c": "1", "novadeck_op": "op"})
        request, changes = cloud.last()
        cloud.answers["/image/v2/images"] = {"images": [SNAPSHOT | {"novadeck_op": "op", "novadeck_schedule": "s"}]}
        (image,) = await rows(glance.images(filters={"schedule": "s"}))
    assert request.content_type == "application/openstack-images-v2.1-json-patch"
    assert changes == [
        {"op": "add", "path": "/a~1b~0c", "value": "1"},
        {"op": "add", "path": "/novadeck_op", "value": "op"},
    ]
    assert (image.operation, image.schedule) == ("op", "s")
    assert cloud.paths("/image")[-1] == "GET /image/v2/images?limit=1000&novadeck_schedule=s"


async def test_an_image_is_deleted_once_and_that_it_is_gone_is_no_error() -> None:
    async with opened() as (cloud, glance):
        cloud.answers["DELETE /image/v2/images/i2"] = lambda request: web.Response(status=204)
        await glance.delete_image("i2")
        await glance.delete_image("i3")
    assert cloud.paths("/image") == ["DELETE /image/v2/images/i2", "DELETE /image/v2/images/i3"]


async def test_an_html_fault_is_told_without_its_tags() -> None:
    html = b"<html><head><title>403</title></head><body><h1>403 Forbidden</h1>Image i1 is protected.</body></html>"
    async with opened() as (cloud, glance):
        answer = lambda request: web.Response(status=403, body=html, content_type="text/html")  # noqa: E731
        cloud.answers["DELETE /image/v2/images/i1"] = answer
        with pytest.raises(Exception, match=r"^lab/one: 403 Forbidden Image i1 is protected\.$"):
            await glance.delete_image("i1")


async def test_an_image_service_that_asks_for_patience_holds_up_no_servers() -> None:
    async with opened() as (cloud, dialect):
        closed = web.Response(status=503, headers={"Retry-After": "600"})
        cloud.answers["/image/v2/images"] = lambda request: closed
        cloud.answers["/compute/v2.1/servers/detail"] = {"servers": []}
        for _ in range(2):
            with pytest.raises(OverLimit) as asked:
                await rows(dialect.images())
            assert 590 < asked.value.retry_after <= 600
        assert await rows(dialect.servers()) == []
    assert len(cloud.paths("/image")) == 1  # and is itself asked nothing for as long


async def test_networks_and_a_servers_ports_are_listed() -> None:
    async with opened() as (cloud, neutron):
        cloud.answers["/network/v2.0/networks"] = {"networks": [{"id": "n1", "name": "private\x1b"}, "rubbish"]}
        cloud.answers["/network/v2.0/ports?device_id=s1"] = {"ports": [{"id": "p1"}]}
        assert await neutron.networks(external=False) == [{"id": "n1", "name": "private␛"}]
        assert await neutron.ports("s1") == [{"id": "p1"}]
        cloud.answers["/network/v2.0/networks"] = {}
        with pytest.raises(BadReply):
            await neutron.networks()
    assert cloud.paths("/network")[0] == "GET /network/v2.0/networks?router%3Aexternal=false"


async def test_networks_that_come_in_pages_are_all_listed() -> None:
    async with opened() as (cloud, neutron):
        link = {"rel": "next", "href": "http://10.0.0.1:9696/v2.0/networks?name=n&marker=n1"}
        cloud.answers["/network/v2.0/networks?name=n"] = {
            "networks": [{"id": "n1"}],
            "networks_links": [{"rel": "previous", "href": "x"}, link],
        }
        cloud.answers["/network/v2.0/networks?name=n&marker=n1"] = {"networks": [{"id": "n2"}]}
        assert [net["id"] for net in await neutron.networks(name="n")] == ["n1", "n2"]


async def test_a_cloud_without_images_and_networks_offers_no_such_verbs() -> None:
    def prepare(cloud: ScriptedCloud) -> None:
        cloud.offer("compute", "/compute/v2.1")
        cloud.answers["/compute/v2.1/"] = compute()

    async with serving(prepare) as cloud:
        dialect = await connect(cloud.account())
        assert "server.list" in dialect.verbs
        assert not {"image.list", "network.list"} & dialect.verbs
        with pytest.raises(NotFound, match="offers no image service"):
            await rows(dialect.images())
        await dialect.close()


async def test_a_listing_that_is_left_half_way_leaves_nothing_behind() -> None:
    async with opened() as (cloud, glance):
        cloud.answers["/image/v2/images"] = {"images": [BASE], "next": "/v2/images?limit=1000&marker=i1"}
        cloud.answers["/image/v2/images?limit=1000&marker=i1"] = {"images": [SNAPSHOT]}
        async for _ in glance.images():
            break
        await asyncio.sleep(0)
        assert len(await rows(glance.images())) == 2
