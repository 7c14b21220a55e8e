"""The commands about plans, in processes of their own where they open a cloud; the others open none."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from test_schedule import planned

from console.cli.main import main
from console.runbooks.journal import Journal
from console.runbooks.schedule_book import PlanBook, book_in


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlanBook]:
    """Three plans of two servers, in a state folder of the test's own."""
    for kind in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE", raising=False)
    book = book_in(tmp_path / "state" / "novadeck")
    with book.locked():
        for id, name in (("aa01", "web"), ("aa02", "web"), ("bb01", "db")):
            book.keep(msgspec.structs.replace(planned(), id=id, name=name, zone="Europe/Berlin"))
    yield book


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_plans_are_listed(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "schedule", "list", "-f", "json")
    rows = json.loads(out)
    assert code == 0 and [(row["id"], row["name"]) for row in rows] == [
        ("bb01", "db"),
        ("aa01", "web"),
        ("aa02", "web"),
    ]
    code, out, _ = said(capsys, "schedule", "list", "-f", "value", "-c", "id", "-c", "when")
    assert out.splitlines()[0] == "bb01 0 3 * * * Europe/Berlin"


def test_a_name_of_several_plans_is_refused_with_their_ids(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "schedule", "pause", "web")
    assert code == 1 and "2 plans fit 'web'. Give one of aa01, aa02." in err
    code, _, err = said(capsys, "schedule", "pause", "nobody")
    assert code == 1 and "There is no plan 'nobody'" in err


def test_a_plan_is_paused_and_goes_on_from_now(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "schedule", "pause", "db")[0] == 0
    assert book.read()["bb01"].paused
    assert said(capsys, "schedule", "resume", "bb")[0] == 0
    again = book.read()["bb01"]
    assert not again.paused and again.handled != planned().handled  # what was missed meanwhile stays missed


def test_a_plan_is_forgotten(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "schedule", "remove", "aa01", "db", "--yes")
    assert code == 0 and "forgotten: aa01 (web), bb01 (db)" in err
    assert list(book.read()) == ["aa02"]


def test_lines_for_hosts_without_a_keeper(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = said(capsys, "schedule", "lines", "db")
    assert "OnCalendar=*-*-* 3:0:00 Europe/Berlin" in out and "schedule run bb01 --due" in out
    assert f"XDG_STATE_HOME={os.environ['XDG_STATE_HOME']}" in out
    assert "novadeck-bb01.timer" in err
    _, out, _ = said(capsys, "schedule", "lines", "db", "--for", "cron")
    assert out.splitlines()[-1].startswith("0 3 * * * /usr/bin/env XDG_CONFIG_HOME=")


def test_a_damaged_book_is_one_sentence(book: PlanBook, capsys: pytest.CaptureFixture[str]) -> None:
    book.path.write_text("[")
    code, _, err = said(capsys, "schedule", "list")
    assert code == 1 and "is damaged" in err and "Traceback" not in err


def test_the_keeper_makes_what_is_planned_and_a_second_one_does_not(
    book: PlanBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service that a host runs: it opens the plan's cloud by itself, makes the image, and ends when told to."""
    novadeck = str(Path(sys.executable).with_name("novadeck"))
    words = [novadeck, "demo", "--serve", "--servers", "6", "--guests", "4", "--speed", "20"]
    served = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    assert served.stdout is not None
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", served.stdout.readline().strip())
    keepers: list[subprocess.Popen[str]] = []
    try:
        where = [novadeck, "--os-cloud", "nimbus"]
        listed = subprocess.run([*where, "server", "list", "-f", "json"], capture_output=True, text=True, check=True)
        fit = [row for row in json.loads(listed.stdout) if row["status"] == "ACTIVE" and not row["task_state"]]
        add = [*where, "schedule", "add", fit[0]["id"], "--daily", "03:30", "--hold", "600"]
        subprocess.run(add, capture_output=True, check=True)
        plan = next(plan for plan in book.read().values() if plan.server == fit[0]["id"])
        with book.locked():
            for other in [id for id in book.read() if id != plan.id]:
                book.forget(other)
            book.keep(msgspec.structs.replace(plan, handled=plan.handled - dt.timedelta(days=2)))
        keepers = [subprocess.Popen([novadeck, "keep"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
        deadline = time.monotonic() + 60
        while not book.read()[plan.id].run and time.monotonic() < deadline:
            time.sleep(0.2)
        journal = Journal(book.path.parent / "journal.sqlite")
        while journal.runs() and time.monotonic() < deadline:
            time.sleep(0.2)
        (run,) = journal.runs(ended=True)
        assert run.state == "done" and run.given["schedule"] == plan.id, run.failure
    finally:
        for process in [*keepers, served]:
            process.send_signal(signal.SIGTERM if process is not served else signal.SIGINT)
        errors = [process.communicate(timeout=30)[1] for process in keepers]
        served.communicate(timeout=30)
    assert [process.returncode for process in keepers] == [0, 0], errors
    assert sum("keeps already" in error for error in errors) == 1
