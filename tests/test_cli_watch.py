"""What `watch` tells: changes alone, each once, with what was and what is."""

import asyncio
import datetime as dt
import json
from types import SimpleNamespace
from typing import Any

import pytest

from console.cli.choosing import rows_of
from console.cli.output import to_json
from console.cli.parse import Given, UsageError, parse
from console.cli.watching import _until, goal, line, met
from console.core.clock import Clock
from console.core.news import News, differences
from console.core.until import Until
from console.core.watch import Batch
from console.errors import NotFound, WaitTimeout
from console.model.place import Key, Place, Row
from console.model.server import Server

BEGAN = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
LAB, LATE = Place("lab", "one"), Place("late", "one")


def server(word: str, *, id: str = "s1", place: Place = LAB, created: dt.datetime | None = None) -> Server:
    return Server(id=id, name="web", word=word, key=Key("e", "one", "server", id), place=place, created=created)


def news(*known: Row) -> News:
    return News("server", {row.key: row for row in known}, frozenset({LATE}), BEGAN)


def test_what_is_known_at_the_start_is_no_news() -> None:
    old = server("ACTIVE")
    assert news(old).of(Batch(kind=Server, changed=(old,), reset=True)) == []


def test_appeared_changed_disappeared() -> None:
    follow = news()
    (appeared,) = follow.of(Batch(kind=Server, changed=(server("BUILD"),)))
    (changed,) = follow.of(Batch(kind=Server, changed=(server("ACTIVE"),)))
    (gone,) = follow.of(Batch(kind=Server, gone=(server("ACTIVE").key,)))
    assert [one["event"] for one in (appeared, changed, gone)] == ["appeared", "changed", "disappeared"]
    assert changed["changed"]["status"] == {"old": "BUILD", "new": "ACTIVE"}
    assert (gone["name"], gone["id"], gone["place"], gone["status"]) == ("web", "s1", "lab/one", "ACTIVE")
    told = json.loads(to_json(changed))
    assert (told["v"], told["kind"]) == (1, "server")
    assert told["time"].endswith("Z")


def test_the_same_again_and_another_way_to_it_are_no_news() -> None:
    follow = news(server("ACTIVE"))
    assert follow.of(Batch(kind=Server, changed=(server("ACTIVE"), server("ACTIVE", place=LATE)))) == []
    assert follow.of(Batch(kind=Server, gone=(server("X", id="never seen").key,))) == []


def test_a_cloud_that_answers_late_has_no_news_of_old_servers() -> None:
    follow = news()
    old = server("ACTIVE", id="old", place=LATE, created=BEGAN - dt.timedelta(hours=1))
    new = server("BUILD", id="new", place=LATE, created=BEGAN + dt.timedelta(seconds=1))
    assert [one["id"] for one in follow.of(Batch(kind=Server, changed=(old, new)))] == ["new"]


def test_a_line_tells_old_and_new() -> None:
    follow = news(server("ACTIVE"))
    (change,) = follow.of(Batch(kind=Server, changed=(server("REBOOT"),)))
    said = line(change)
    assert said.endswith("lab/one server web changed status: ACTIVE -> REBOOT")
    assert differences(server("ACTIVE"), server("ACTIVE")) == {}


@pytest.mark.parametrize(
    ("words", "row", "there"),
    [
        ("status=ACTIVE,ERROR", server("ERROR"), True),
        ("status=active", server("ACTIVE"), True),
        ("status=ACTIVE", server("BUILD"), False),
        ("status=ACTIVE", None, False),
        ("gone", None, True),
        ("gone", server("ACTIVE"), False),
        ("task_state=", server("ACTIVE"), True),
        ("task_state=none", server("ACTIVE"), True),
    ],
)
def test_what_is_waited_for(words: str, row: Server | None, there: bool) -> None:
    field, values = goal(words)
    assert met(row, field, values) is there


@pytest.mark.parametrize("words", ["ACTIVE", "colour=red", "status", "gone=1", ""])
def test_what_cannot_be_waited_for(words: str) -> None:
    with pytest.raises(UsageError, match="--for needs"):
        goal(words)


def test_a_status_that_no_server_ever_has_is_not_waited_for() -> None:
    with pytest.raises(UsageError, match=r"ever 'actve'.* Did you mean 'ACTIVE'"):
        goal("status=ERROR,ACTVE")


@pytest.mark.parametrize("how", ["command", "library"])
async def test_a_cloud_that_never_answers_outlasts_no_deadline(how: str) -> None:
    async def never(row: Server) -> Server:
        await asyncio.Event().wait()
        return row

    row, clock = Server(id="s-1", name="web", place=Place("lab", "one"), word="SHUTOFF"), Clock()
    async with asyncio.timeout(10):
        if how == "library":
            with pytest.raises(WaitTimeout, match="No answer"):
                await Until(row, "status", "ACTIVE", deadline=0.1).run(never, clock)
        else:
            ops: Any = SimpleNamespace(servers=SimpleNamespace(get=never), clock=clock)
            given = parse(["wait", "server", "web", "--for", "status=ACTIVE", "--timeout", "0.1"])
            assert isinstance(given, Given)
            end = await _until(ops, row, "status", frozenset({"active"}), given)
            assert isinstance(end, WaitTimeout)
            assert str(end) == "web is SHUTOFF after 0.1 s as last seen; now out of sight: no answer."


@pytest.mark.parametrize("how", ["command", "library"])
async def test_the_status_of_one_that_is_being_deleted_is_not_believed_at_once(how: str) -> None:
    row = Server(id="s-1", name="web", place=Place("lab", "one"))
    told = iter([("BUILD", "deleting"), ("ACTIVE", None), ("ACTIVE", "deleting")])

    async def get(row: Server) -> Server:
        status, task = next(told, ("", None))
        if not status:
            raise NotFound("No such server.")
        return Server(id="s-1", name="web", place=row.place, word=status, task_state=task)

    clock = Clock()
    if how == "library":
        with pytest.raises(NotFound):
            await Until(row, "status", "ACTIVE", interval=0.01).run(get, clock)
    else:
        ops: Any = SimpleNamespace(servers=SimpleNamespace(get=get), clock=clock)
        given = parse(["wait", "server", "web", "--for", "status=ACTIVE", "--interval", "0.01"])
        assert isinstance(given, Given)
        assert isinstance(await _until(ops, row, "status", frozenset({"active"}), given), NotFound)


async def test_a_deletion_that_is_taken_back_is_believed_in_the_end() -> None:
    row = Server(id="s-1", name="web", place=Place("lab", "one"))
    told = iter(["deleting", None, None, None])

    async def get(row: Server) -> Server:
        return Server(id="s-1", name="web", place=row.place, word="ACTIVE", task_state=next(told))

    found = await Until(row, "status", "ACTIVE", interval=0.01).run(get, Clock())
    assert found.task_state is None and next(told, "read to the last") == "read to the last"


@pytest.mark.parametrize("which", ["--all", "--where"])
async def test_a_server_that_is_still_listed_as_deleted_is_not_meant(which: str) -> None:
    place = Place("lab", "one")
    rows = [Server(id=word, name=f"web-{word}", place=place, word=word) for word in ("ACTIVE", "DELETED")]

    async def everything() -> Any:
        return SimpleNamespace(rows=rows, troubles={})

    store = SimpleNamespace(rows=lambda kind: {})
    given = parse(["server", "delete", which, *(["name:^web"] if which == "--where" else [])])
    assert isinstance(given, Given)
    ops: Any = SimpleNamespace(store=store, clock=Clock())
    collection: Any = SimpleNamespace(list=everything)
    assert [row.id for row in await rows_of(ops, collection, given)] == ["ACTIVE"]
