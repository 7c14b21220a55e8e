"""Records to rows: nothing is guessed, one bad field costs one field, and what is the same is the very same object."""

import datetime as dt
import json
import random
from typing import Any

import msgspec
import pytest

from console.clouds.fields import moment
from console.clouds.fields import reader as by_field
from console.clouds.openstack.reader import Reader, Sparse
from console.clouds.openstack.records import Memo
from console.clouds.openstack.shapes import GlanceImage, NovaFlavor, NovaServer
from console.clouds.openstack.sparse import LATER, SparseServer, complete
from console.errors import BadReply
from console.model.place import Key, Origin, Place, facts
from console.model.server import Reference, Server
from console.text import clean_tree, masked
from console.wire.message import Reply

ORIGIN = Origin(Place("lab", "one"), "http://cloud.example")
TIMES = ("created", "updated", "launched_at", "terminated_at")


def reader() -> Reader[Server]:
    return Reader(NovaServer, "server", ORIGIN, region="one", naive=TIMES, sparse=Sparse(SparseServer, LATER, complete))


def read(record: dict[str, Any] | bytes) -> Server:
    row = reader()(record if isinstance(record, bytes) else json.dumps(record).encode())
    assert row is not None
    return row


def test_a_row_knows_what_it_is_where_it_came_from_and_its_record() -> None:
    row = read({"id": "a", "name": "web", "status": "ACTIVE", "tenant_id": "p", "hostId": "h"})
    assert row.key == Key("http://cloud.example", "one", "server", "a")
    assert row.place == Place("lab", "one")
    assert json.loads(row.record)["name"] == "web"
    assert (row.name, row.status, row.project_id, row.host_id) == ("web", "ACTIVE", "p", "h")


def test_a_record_cannot_fill_what_is_ours() -> None:
    names = [field for ours in ("key", "place", "record", "dialect") for field in (ours, f"novadeck:{ours}")]
    row = read({"id": "a"} | {name: {"cloud": "evil", "endpoint": "evil"} for name in names})
    assert (row.place, row.key.endpoint) == (Place("lab", "one"), "http://cloud.example")
    assert row.record.startswith(b'{"id": "a"') and row.dialect == "openstack"


def test_a_server_just_ordered_has_an_id_and_nothing_is_guessed() -> None:
    row = read({"id": "a", "links": [], "OS-DCF:diskConfig": "AUTO", "adminPass": "x"})
    told = {name for name in Server.__struct_fields__ if getattr(row, name) not in (None, "")}
    assert told == {"id", "key", "place", "record", "dialect", "disk_config"}
    assert row.status == "UNKNOWN"


def test_image_and_flavor_come_in_every_shape_that_clouds_use() -> None:
    assert read({"id": "a", "image": ""}).boots_from_volume
    assert read({"id": "a", "image": {"id": "i", "links": []}}).image == Reference("i")
    old = read({"id": "a", "flavor": {"id": "1", "links": []}})
    assert old.flavor_id == "1"
    new = read({"id": "a", "flavor": {"original_name": "m1", "vcpus": 1, "swap": "", "extra_specs": {"a": "b"}}})
    assert (new.flavor_id, new.flavor and new.flavor.name) == (None, "m1")
    assert read({"id": "a", "flavor": {}}).flavor is not None
    assert read({"id": "a", "image": None, "flavor": None}).image is None


def test_times_without_a_zone_are_utc() -> None:
    row = read({"id": "a", "OS-SRV-USG:launched_at": "2013-09-23T13:37:00.880302", "updated": "2013-09-23T13:37:00Z"})
    assert row.launched_at is not None
    assert row.launched_at.isoformat() == "2013-09-23T13:37:00.880302+00:00"
    assert row.updated is not None
    assert row.updated.utcoffset() is not None


def test_an_unknown_status_keeps_its_word() -> None:
    row = read({"id": "a", "status": "TELEPORTING"})
    assert (row.status, row.word) == ("UNKNOWN", "TELEPORTING")


@pytest.mark.parametrize("raw", ["\x1b[2J", "\x7f", "\u202e", "\x9b1m", "\u200b"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_came_from_outside_is_cleaned_however_it_was_written(raw: str, ascii_only: bool) -> None:
    record = {
        "id": "a",
        "name": f"x{raw}",
        "metadata": {f"k{raw}": f"v{raw}"},
        "tags": [raw],
        "fault": {"message": raw},
    }
    row = read(json.dumps(record, ensure_ascii=ascii_only).encode())
    for text in (row.name, *(row.metadata or {}), *(row.metadata or {}).values(), *(row.tags or ())):
        assert raw not in text
        assert text.isprintable() or "\ufffd" in text
    assert row.fault is not None
    assert raw not in row.fault.message


@pytest.mark.parametrize(
    ("field", "value", "lost"),
    [
        ("status", 5, "word"),
        ("addresses", [1, 2], "addresses"),
        ("addresses", {"net": [{"version": 4}]}, "addresses"),
        ("metadata", {"a": ["b"]}, "metadata"),
        ("fault", "broken", "fault"),
        ("OS-SRV-USG:launched_at", "", "launched_at"),
        ("updated", "yesterday", "updated"),
        ("flavor", "m1", "flavor"),
        ("image", 7, "image"),
        ("tags", "blue", "tags"),
    ],
)
def test_a_field_of_the_wrong_type_costs_that_field_alone(field: str, value: object, lost: str) -> None:
    row = read({"id": "a", "name": "web", "status": "ACTIVE", "progress": 3, field: value})
    assert getattr(row, lost) in (None, "5")
    assert (row.name, row.progress) == ("web", 3)


def test_numbers_that_came_as_text_and_back_are_read() -> None:
    assert read({"id": 42, "name": "web"}).id == "42"
    assert read({"id": "a", "OS-EXT-STS:power_state": "1"}).power == "running"
    flavor = Reader(NovaFlavor, "flavor", ORIGIN, region="")(b'{"id": 1, "ram": "512", "disk": 0, "swap": ""}')
    assert flavor is not None
    assert (flavor.id, flavor.ram, flavor.disk, flavor.swap) == ("1", 512, 0, "")


def test_broken_text_is_shown_as_broken_and_what_is_no_record_is_no_row() -> None:
    assert read(b'{"id": "a", "name": "w\xffeb"}').name == "w\ufffdeb"
    assert read(b'{"id": "a", "name": "\\ud800"}').name == "\ufffd"
    assert read(b'{"id": "a", "name": "\x1b[2J"}').name == "\u241b[2J"  # not even escaped, against all rules
    for record in (b"7", b"null", b'"id"', b"{}", b'{"id": null}', b'{"id": ""}', b"[]", b'{"id": {}}'):
        assert reader()(record) is None


def test_a_snapshot_is_known_by_its_own_properties() -> None:
    images = Reader(GlanceImage, "image", ORIGIN, region="")
    snapshot = images(b'{"id": "i", "instance_uuid": "s", "image_type": "snapshot", "status": "queued", "size": null}')
    base = images(b'{"id": "j", "os_distro": "debian", "status": "active", "tags": []}')
    assert snapshot is not None
    assert base is not None
    assert (snapshot.snapshot, snapshot.server_id, snapshot.in_flight) == (True, "s", True)
    assert (base.snapshot, base.os_distro) == (False, "debian")


# The memory: the same bytes are the same objects.


def server(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "name": f"web-{number}",
        "status": "ACTIVE",
        "metadata": {"n": "é" * (number % 3)},
    } | more


def pages(records: list[dict[str, Any]], size: int = 10, separators: tuple[str, str] = (", ", ": ")) -> list[Reply]:
    found = []
    for start in range(0, max(1, len(records)), size):
        page: dict[str, Any] = {"servers": records[start : start + size]}
        if start + size < len(records):
            page["servers_links"] = [{"rel": "next", "href": f"http://x/?marker={start}"}]
        found.append(Reply(200, {}, [json.dumps(page, ensure_ascii=False, separators=separators).encode()]))
    return found


class Counted:
    """A reader that counts what it had to read."""

    def __init__(self) -> None:
        self.reads = 0
        self._reader = reader()

    def __call__(self, records: Any) -> Any:
        for record in records:
            self.reads += 1
            yield from self._reader.many((record,))


class Listing:
    """Listings one after the other, as a poller reads them."""

    def __init__(self, **given: Any) -> None:
        self.counted = Counted()
        self.memo = Memo("servers", self.counted, "lab/one")
        self.given = given

    def __call__(self, records: list[dict[str, Any]], **given: Any) -> list[Server]:
        self.counted.reads = 0
        turn = self.memo.turn()
        rows: list[Server] = []
        replies = pages(records, **(self.given | given))
        for number, reply in enumerate(replies):
            found, link = turn.page(reply)
            assert (link is not None) == (number + 1 < len(replies))
            rows += found
        turn.done(whole=True)
        assert [(row.id, row.name, row.status) for row in rows] == [
            (record["id"], record["name"], record["status"]) for record in records
        ]
        return rows


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":"), (" ,\n ", ": ")])
def test_an_unchanged_listing_is_the_same_objects_and_nothing_is_read(separators: tuple[str, str]) -> None:
    listing = Listing(separators=separators)
    records = [server(number) for number in range(35)]
    first = listing(records)
    assert listing.counted.reads == 35
    for _ in range(3):
        again = listing(records)
        assert all(one is other for one, other in zip(first, again, strict=True))
        assert listing.counted.reads == 0


def test_a_known_page_is_known_however_it_was_cut_and_is_never_put_together() -> None:
    listing = Listing()
    records = [server(number) for number in range(10)]
    first = listing(records)
    page = pages(records)[0].body
    parts = [page[start : start + 100] for start in range(0, len(page), 100)]
    reply = Reply(200, {}, parts)
    turn = listing.memo.turn()
    found, _ = turn.page(reply)
    assert all(one is other for one, other in zip(first, found, strict=True))
    assert reply.parts is parts
    cut = listing.memo.turn().page(Reply(200, {}, [*parts[:5], parts[5].replace(b"ACTIVE", b"REBOOT"), *parts[6:]]))[0]
    assert [row.status for row in cut if row not in first] == ["REBOOT"]


def test_two_readings_at_once_tell_each_what_its_own_pages_say() -> None:
    listing = Listing()
    records = [server(number) for number in range(10)]
    listing(records)
    (page,) = pages([server(0, status="REBOOT"), *records[1:]])
    early, late = listing.memo.turn(), listing.memo.turn()
    early.page(page)
    early.done(whole=True)
    rows, _ = late.page(page)
    late.done(whole=True)
    assert rows[0].status == "REBOOT"
    assert listing([server(0, status="REBOOT"), *records[1:]])[0].status == "REBOOT"


def test_of_a_changed_listing_only_the_changed_are_read() -> None:
    listing = Listing()
    records = [server(number) for number in range(35)]
    first = listing(records)
    changed = [server(n, status="REBOOT") if n in (0, 9, 10, 22, 34) else r for n, r in enumerate(records)]
    second = listing(changed)
    assert listing.counted.reads == 5
    assert [n for n in range(35) if second[n] is not first[n]] == [0, 9, 10, 22, 34]


def test_new_and_gone_records_shift_the_pages_and_cost_no_more_than_themselves() -> None:
    listing = Listing()
    records = [server(number) for number in range(100)]
    first = {row.id: row for row in listing(records)}
    shifted = [server(200), *records[:40], *records[43:]]
    second = listing(shifted)
    assert listing.counted.reads <= 3
    assert all(row is first[row.id] for row in second if row.id in first)
    assert listing(shifted)
    assert listing.counted.reads == 0


def test_any_change_at_all_is_read_right() -> None:
    rng = random.Random(5)
    listing = Listing()
    records = [server(number) for number in range(60)]
    counter = 1000
    for _ in range(120):
        known = {row.id: row for row in listing.memo.rows.values()}
        before = {record["id"]: record for record in records}
        records = [record for record in records if rng.random() > 0.03]
        for _ in range(rng.randint(0, 3)):
            counter += 1
            records.insert(rng.randint(0, len(records)), server(counter))
        for _ in range(rng.randint(0, 4)):
            if records:
                place = rng.randrange(len(records))
                records[place] = records[place] | {"status": rng.choice(["ACTIVE", "REBOOT", "ERROR"])}
        if rng.random() < 0.1:
            rng.shuffle(records)
        size = rng.choice([7, 10, 60])
        for row, record in zip(listing(records, size=size), records, strict=True):
            if before.get(row.id) == record and row.id in known:
                assert row is known[row.id]


def test_a_service_that_writes_its_pages_another_way_is_read_anew() -> None:
    listing = Listing()
    records = [server(number) for number in range(20)]
    listing(records)
    assert listing(records, separators=(",", ":"))
    assert listing(records, separators=(", ", ": "))
    assert listing([]) == []
    assert len(listing(records)) == 20


def test_the_answer_for_one_thing_is_the_listings_row_while_its_fields_agree() -> None:
    listing = Listing()
    records = [server(number) for number in range(3)]
    rows = listing(records)
    alone = json.dumps(records[1] | {"server_groups": []}).encode()
    assert listing.memo.row(alone, alone=True) is rows[1]
    changed = listing.memo.row(json.dumps(records[1] | {"status": "REBOOT", "server_groups": []}).encode(), alone=True)
    assert changed is not None
    assert changed.status == "REBOOT"
    assert listing([records[0], records[1] | {"status": "REBOOT"}, records[2]])[1] is changed


def test_a_listing_that_was_not_read_to_its_end_is_not_remembered() -> None:
    listing = Listing()
    records = [server(number) for number in range(20)]
    rows = listing(records)
    turn = listing.memo.turn()
    turn.page(pages(records)[0])
    assert all(one is other for one, other in zip(rows, listing(records), strict=True))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"servers": 5}', b'{"servers": [{"id": "a"}', b"<html>", b"\xff"]
)
def test_what_is_no_page_is_a_bad_reply(body: bytes) -> None:
    listing = Listing()
    records = [server(number) for number in range(20)]
    for known in (False, True):
        if known:
            listing(records)
        with pytest.raises(BadReply, match="no list of servers"):
            listing.memo.turn().page(Reply(200, {}, [body]))
    head = pages(records)[0].body
    with pytest.raises(BadReply):
        listing.memo.turn().page(Reply(200, {}, [head[: len(head) // 2]]))


def test_metadata_that_looks_like_a_link_is_none() -> None:
    listing = Listing()
    tricky = server(1, metadata={"servers_links": "x", "next": "http://evil/"})
    for _ in range(2):
        assert len(listing([tricky, server(2)])) == 2


WHOLE = {
    "id": "a",
    "name": "web-1",
    "status": "ACTIVE",
    "flavor": {"original_name": "m1", "vcpus": 1, "extra_specs": {"a": "b"}},
    "image": {"id": "i", "links": []},
    "addresses": {"private": [{"addr": "10.0.0.5", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
    "metadata": {"role": "web"},
    "security_groups": [{"name": "default"}],
    "os-extended-volumes:volumes_attached": [{"id": "v", "delete_on_termination": True}],
    "tags": ["blue"],
    "OS-SRV-USG:launched_at": "2026-11-20T23:33:13.000000",
    "OS-EXT-STS:vm_state": "active",
    "OS-EXT-AZ:availability_zone": "nova",
    "key_name": "operator",
    "config_drive": "",
    "user_id": "u",
    "tenant_id": "p",
}


def test_what_is_left_in_the_record_reads_as_if_it_were_not() -> None:
    whole = Reader(NovaServer, "server", ORIGIN, region="one", naive=TIMES)(json.dumps(WHOLE).encode())
    row = read(WHOLE)
    assert whole is not None and type(row) is SparseServer and type(whole) is NovaServer
    assert facts(row) == facts(whole)
    assert {name for name in LATER if getattr(row, name) is not None} >= {"metadata", "tags", "launched_at", "zone"}
    assert row.address == "10.0.0.5" and row.launched_at is not None and row.launched_at.tzinfo is not None


@pytest.mark.parametrize("odd", [{"name": "w\u00e9b"}, {"fault": 5}])
def test_every_time_is_utc_also_of_a_record_that_was_read_with_care(odd: dict[str, Any]) -> None:
    row = read(WHOLE | {"created": "2026-11-20T23:33:13", "OS-SRV-USG:terminated_at": "2026-11-21T00:00:00"} | odd)
    assert type(row) is NovaServer
    for name in ("launched_at", "terminated_at", "created"):
        assert getattr(row, name).utcoffset() == dt.timedelta(0), name


def test_what_is_nested_without_end_costs_no_more_than_itself() -> None:
    deep = b"[" * 500 + b"]" * 500
    assert read(b'{"id": "a", "name": "w\\u00e9b", "tags": ' + deep + b"}").name == "w\u00e9b"
    assert '"…"' in json.dumps(clean_tree(json.loads(deep)), ensure_ascii=False)
    assert '"…"' in json.dumps(masked(json.loads(deep)), ensure_ascii=False)


def test_a_day_beyond_the_calendar_is_none() -> None:
    assert moment("0001-01-01T00:00:00+05:00") is None and moment("9999-12-31T23:59:59-05:00") is None
    assert moment("2009-07-20T09:14:37-05:00") == moment("2009-07-20T14:14:37")


def test_broken_text_and_numbers_too_large_cost_no_record_that_is_read_field_by_field() -> None:
    many = by_field("server", lambda tree: Server(id=str(tree["id"]), name=tree["name"]), ORIGIN)
    rows = list(many([b'{"id": 1, "name": "w\xff"}', b'{"id": 2, "name": "x", "much": 1e999}', b'{"id": 3']))
    assert [(row.id, row.name) for row in rows] == [("1", "w\N{REPLACEMENT CHARACTER}"), ("2", "x")]


def test_a_field_of_the_wrong_type_in_the_record_tells_nothing() -> None:
    row = read(WHOLE | {"metadata": 5, "tags": "blue"})
    assert (row.metadata, row.tags, row.zone) == (None, None, "nova")


def test_a_row_given_another_record_still_says_what_it_was_read_from() -> None:
    row = msgspec.structs.replace(read(WHOLE), word="UNKNOWN", record=b'{"id": "a"}')
    assert (row.status, row.metadata) == ("UNKNOWN", {"role": "web"})
    assert msgspec.structs.replace(row, metadata={}).metadata == {}


def test_what_many_rows_have_in_common_is_held_once() -> None:
    one, other = reader().many([json.dumps(WHOLE | {"id": id}).encode() for id in "ab"])
    assert one.flavor is other.flavor and one.image is other.image and one.project_id is other.project_id


def test_a_server_asked_for_alone_is_another_where_only_its_metadata_is() -> None:
    memo = Memo("servers", reader().many)
    listed = memo.row(json.dumps(WHOLE).encode())
    assert memo.row(json.dumps(WHOLE | {"more": 1}).encode(), alone=True) is listed
    assert memo.row(json.dumps(WHOLE | {"metadata": {"role": "db"}}).encode(), alone=True) is not listed
