"""A plan as systemd and cron have it; where systemd is there it is asked what it understands."""

import datetime as dt
import re
import shutil
import subprocess

import msgspec
import pytest
from test_schedule import planned

from console.errors import ActionRefused
from console.runbooks.schedule_book import Planned
from console.runbooks.schedule_times import Rhythm
from console.runbooks.schedule_units import calendar, crontab, systemd

CRONS = {
    "30 3 * * *": ["*-*-* 3:30:00 UTC"],
    "0 4 * * 0": ["Sun *-*-* 4:0:00 UTC"],
    "0 4 * * 1-5": ["Mon,Tue,Wed,Thu,Fri *-*-* 4:0:00 UTC"],
    "*/20 2-6 * * *": ["*-*-* 2..6:0/20:00 UTC"],
    "5 1,13 1 JAN,6 *": ["*-1,6-1 1,13:5:00 UTC"],
    "0 0 1 * MON": ["*-*-1 0:0:00 UTC", "Mon *-*-* 0:0:00 UTC"],
    "0 0 */5 * *": ["*-*-1/5 0:0:00 UTC"],
    "0 0 * * 5-7": ["Sun,Fri,Sat *-*-* 0:0:00 UTC"],
}


def with_cron(cron: str) -> Planned:
    return msgspec.structs.replace(planned(), cron=cron)


@pytest.mark.parametrize("cron", CRONS)
def test_a_rhythm_is_said_to_systemd(cron: str) -> None:
    assert calendar(with_cron(cron)) == CRONS[cron]


@pytest.mark.parametrize("cron", ["0 0 L * *", "0 0 * * MON#2", "0 0 LW * *"])
def test_what_systemd_cannot_be_told_is_refused(cron: str) -> None:
    with pytest.raises(ActionRefused, match="systemd timer"):
        calendar(with_cron(cron))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("cron", CRONS)
def test_systemd_elapses_when_we_do(cron: str) -> None:
    base = dt.datetime(2027, 1, 1, 0, 30, tzinfo=dt.UTC)
    found = set()
    for line in calendar(with_cron(cron)):
        words = ["systemd-analyze", "calendar", "--iterations=6", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", line]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env={"TZ": "UTC"})
        found |= set(re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout))
    ours = {f"{moment:%Y-%m-%d %H:%M:%S}" for moment, _ in zip(Rhythm(cron).after(base), range(6), strict=False)}
    assert ours <= found


def test_odd_words_are_quoted() -> None:
    plan = msgspec.structs.replace(planned(), name="web\x1b[2J 100%", zone="Europe/Berlin", catch_up=False)
    command = ["/opt/my deck/bin/python", "-m", "console", "50%", "$HOME", 'a"b']
    text = systemd(plan, command)
    assert 'ExecStart="/opt/my deck/bin/python" -m console "50%%" "$$HOME" "a\\"b"' in text
    assert "100%% by" in text and "\x1b" not in text
    assert "Persistent=false" in text
    lines = crontab(plan, command).splitlines()
    assert lines[1:] == ["CRON_TZ=Europe/Berlin", "0 3 * * * '/opt/my deck/bin/python' -m console 50\\% '$HOME' 'a\"b'"]
    assert "knows no CRON_TZ" in lines[0] and "\x1b" not in lines[0]
