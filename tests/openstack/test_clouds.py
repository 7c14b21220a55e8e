"""What all other flows rely upon, asked of both clouds in plain HTTP: where they differ, the embedded one is wrong."""

from ground import Cloud


async def test_both_have_what_the_tests_name(cloud: Cloud) -> None:
    flavors = {flavor["name"] for flavor in (await cloud.witness.ask("compute", "/flavors/detail"))["flavors"]}
    assert {cloud.tiny, cloud.small, cloud.medium, cloud.impossible} <= flavors
    assert (await cloud.witness.image(cloud.image))["status"] == "active"
    assert len(cloud.regions) == 2


async def test_a_server_from_its_creation_to_its_end(cloud: Cloud) -> None:
    witness = cloud.witness
    server = await witness.create(cloud.name("web"))
    born = await witness.until(server, "ACTIVE", "ERROR")
    assert born["status"] == "ACTIVE"
    assert [address for network in born["addresses"].values() for address in network]
    assert await witness.act(server, {"reboot": {"type": "SOFT"}}) == 202
    assert (await witness.until(server, "ACTIVE"))["created"] == born["created"]
    assert (await witness.call("DELETE", "compute", f"/servers/{server}")).status == 204
    await witness.delete(server)
    changed = await witness.ask("compute", f"/servers/detail?changes-since={born['created']}")
    assert server in {record["id"] for record in changed["servers"] if record["status"] == "DELETED"}


async def test_resize_waits_for_a_word_and_takes_either(cloud: Cloud) -> None:
    witness = cloud.witness
    small = (await witness.flavor(cloud.small))["id"]
    server = await witness.create(cloud.name("web"))
    await witness.until(server, "ACTIVE")
    assert await witness.act(server, {"confirmResize": None}) == 409
    assert await witness.act(server, {"resize": {"flavorRef": small}}) == 202
    await witness.until(server, "VERIFY_RESIZE")
    assert await witness.act(server, {"revertResize": None}) == 202
    assert (await witness.until(server, "ACTIVE"))["flavor"]["original_name"] == cloud.tiny
    assert await witness.act(server, {"resize": {"flavorRef": small}}) == 202
    await witness.until(server, "VERIFY_RESIZE")
    assert await witness.act(server, {"confirmResize": None}) == 204
    assert (await witness.until(server, "ACTIVE"))["flavor"]["original_name"] == cloud.small


async def test_a_snapshot_becomes_an_image(cloud: Cloud) -> None:
    witness = cloud.witness
    server = await witness.create(cloud.name("web"))
    await witness.until(server, "ACTIVE")
    name = cloud.name("picture")
    answer = await witness.call("POST", "compute", f"/servers/{server}/action", {"createImage": {"name": name}})
    assert answer.status == 202
    await witness.until(server, "ACTIVE")
    image = await witness.image(name)
    assert image["id"] == answer.body["image_id"]
    assert image["status"] == "active"
    assert image["instance_uuid"] == server
    await witness.delete_image(image["id"])


async def test_a_server_that_fits_nowhere_tells_why(cloud: Cloud) -> None:
    server = await cloud.witness.create(cloud.name("big"), flavor=cloud.impossible)
    record = await cloud.witness.until(server, "ERROR")
    assert record["fault"]["code"] == 500
    assert "No valid host" in record["fault"]["message"]
    assert not any(record["addresses"].values())
