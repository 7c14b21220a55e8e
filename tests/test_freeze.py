"""Holding a guest still: what may be frozen, what is said to its shell, and that it lets go whatever becomes of us.

The shell is the machine's own, behind Debian's OpenSSH. Where the machine lets us mount, a file system on a loop device
is frozen for true; elsewhere a stand-in on the PATH notes what it was asked.
"""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from test_probe import Sshd, console_with, needs_sshd, sshd

from console.errors import ProbeFailed
from console.guests.freeze import Mount, Quiet, Thawed, Wanted, against, freeze_script, mount_table, timer_script
from console.guests.hostkeys import Evidence
from console.guests.probe import probe

__all__ = ["sshd"]

ODD = '/srv/it\'s $(touch owned) "a" ; `b` \\n *'
TABLE = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /proc rw - proc proc rw
30 22 254:16 / /data rw,relatime shared:7 - ext4 /dev/vdb rw
31 30 254:32 / /data/in\\040ner rw - xfs /dev/vdc rw
32 22 254:1 /srv/www /www rw,relatime shared:1 - ext4 /dev/vda1 rw
33 22 0:40 /@home /home rw - btrfs /dev/vdd rw,subvol=/@home
34 22 0:40 /@log /log rw - btrfs /dev/vdd rw,subvol=/@log
nonsense
"""


def test_only_a_mount_that_the_session_does_not_stand_on_may_be_frozen() -> None:
    table = mount_table(TABLE)
    stands_on = ("/", "/bin/sh", "/home/debian")
    assert table[3] == Mount("254:32", "/data/in ner", "xfs", "rw")
    assert against(table, "/data", stands_on) == ""
    assert against(table, "/data/in ner/", stands_on) == ""
    assert against(table, "/data/other", stands_on) == "/data/other is no mount point in the guest"
    assert against(table, "/", stands_on).startswith("/ holds /,")
    assert "/www holds /," in against(table, "/www", stands_on)  # the root again, under another name
    assert "/log holds /home/debian," in against(table, "/log", stands_on)  # another subvolume of what we stand on
    hidden = [*table, Mount("0:99", "/data", "tmpfs", "rw")]
    assert against([*hidden, Mount("0:99", "/", "overlay", "lowerdir=/a,upperdir=/data/up")], "/data", stands_on)


def test_what_can_never_be_held_is_refused() -> None:
    for wrong in (
        {"mounts": ("data",)},
        {"mounts": ("/a\0b",)},
        {"databases": ("oracle",)},
        {"script": "quiesce.sh"},
        {"seconds": 0},
        {"seconds": 601},
    ):
        with pytest.raises(ProbeFailed):
            Wanted(**wrong)  # type: ignore[arg-type]


def test_the_grade_is_what_was_held() -> None:
    assert Wanted().grade == "crash-consistent"
    assert Wanted(mounts=("/data",)).grade == "file-system-consistent"
    assert Wanted(mounts=("/data",), databases=("postgresql",)).grade == "application-consistent"
    assert Wanted(script="/hook").grade == "application-consistent"


SHELLS = [shell for shell in ("dash", "bash", "busybox sh") if shutil.which(shell.split()[0])]


@pytest.mark.parametrize("shell", SHELLS)
def test_any_name_reaches_the_tools_as_it_is(tmp_path: Path, shell: str) -> None:
    tools(tmp_path)
    script = Path(str(tmp_path) + ODD.replace("/srv/", "/"))
    script.write_text('#!/bin/sh\necho "hook $1" >>"$ASKED"; cat >/dev/null\n')
    script.chmod(0o755)
    wanted = Wanted(mounts=(ODD, "/-f", ODD + "/deeper"), script=str(script))
    text = f"{{\n{freeze_script(wanted)}\n}} </dev/null\n"
    done = subprocess.run(
        shell.split(), input=text, text=True, capture_output=True, env=environment(tmp_path), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["hook freeze", f"-f {ODD}/deeper", f"-f {ODD}", "-f /-f"]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(("says", "code"), [("CHECKPOINT", 0), ("psql: error: no server", 2)])
def test_postgresql_is_asked_for_a_checkpoint_before_the_clock_begins(tmp_path: Path, says: str, code: int) -> None:
    tools(tmp_path)
    (tmp_path / "bin" / "su").write_text(f'#!/bin/sh\necho "su $*" >>"$ASKED"; echo "{says}"; exit {code}\n')
    (tmp_path / "bin" / "su").chmod(0o755)
    script = freeze_script(Wanted(mounts=("/data",), databases=("postgresql",)))
    done = subprocess.run(["sh", "-s"], input=script, text=True, capture_output=True, env=environment(tmp_path))
    assert done.returncode == code
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "su postgres -s /bin/sh -c psql -X -q -v ON_ERROR_STOP=1 -c CHECKPOINT"
    assert asked[1:] == ([] if code else ["-f /data"])
    assert done.stdout.splitlines().index(says) > done.stdout.splitlines().index("novadeck: sync")


def tools(folder: Path) -> None:
    """Stand-ins that note what they were asked for: fsfreeze, and sudo where we are not root."""
    (folder / "bin").mkdir(exist_ok=True)
    noted = '#!/bin/sh\nprintf "%s %s\\n" "$@" >>"$ASKED"\n'
    sudo = '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n'
    for name, text in (("fsfreeze", noted), ("sudo", sudo)):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ASKED": str(folder / "asked")}


class Inside:
    """A guest behind OpenSSH with the stand-ins, and a connection into it."""

    def __init__(self, sshd: Sshd) -> None:
        self.sshd = sshd
        tools(sshd.folder)
        (sshd.folder / "asked").touch()
        variables = " ".join(f'"{name}={value}"' for name, value in environment(sshd.folder).items())
        sshd.start(f"SetEnv {variables}")

    def asked(self) -> list[str]:
        return (self.sshd.folder / "asked").read_text().splitlines()

    async def do(self, work: object) -> None:
        """Log in and do this there."""
        evidence = Evidence("id", console_with(self.sshd.host_key))
        report = await probe(self.sshd.route(), evidence, last="login", within=work)  # type: ignore[arg-type]
        assert report.failed is None, report


@pytest.fixture
def inside(sshd: Sshd) -> Inside:
    return Inside(sshd)


async def until(there: object) -> None:
    async with asyncio.timeout(20):
        while not there():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def timers(mark: str) -> list[int]:
    """The processes on this machine that carry the mark of a timer."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"novadeck-thaw-{mark}".encode() in words:
                found.append(int(entry.name))
    return found


@needs_sshd
async def test_it_is_held_and_let_go_and_nothing_is_left(inside: Inside) -> None:
    hook = inside.sshd.folder / "a hook's"
    hook.write_text('#!/bin/sh\necho "hook $1" >>"$ASKED"\n')
    hook.chmod(0o755)
    found: list[Thawed] = []
    mark = uuid.uuid4().hex  # a run that was killed may have left its timer
    wanted = Wanted(mounts=("/dev/shm",), script=str(hook), mark=mark)

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, wanted)
        await quiet.look()
        await quiet.freeze()
        assert inside.asked() == ["hook freeze", "-f /dev/shm"]
        assert timers(mark) == [quiet.timer]
        assert os.getsid(quiet.timer) == quiet.timer  # no hang-up of our session reaches it
        found.append(await quiet.thaw())

    await inside.do(within)
    assert inside.asked()[2:] == ["-u /dev/shm", "hook thaw"]
    assert found[0].held and found[0].milliseconds is not None and found[0].notes == ()
    await until(lambda: not timers(mark))


@needs_sshd
async def test_the_root_is_never_frozen_and_a_guest_without_tools_says_so(inside: Inside) -> None:
    async def refused(connection: asyncssh.SSHClientConnection) -> None:
        for wanted, words in (
            (Wanted(mounts=("/",)), "this very session stands: it cannot be frozen"),
            (Wanted(mounts=("/nowhere",)), "/nowhere is no mount point"),
            (Wanted(databases=("mysql",)), "lacks what is needed of setsid, mysql"),
        ):
            if "mysql" in wanted.databases and shutil.which("mysql"):
                continue
            with pytest.raises(ProbeFailed, match=words):
                await Quiet(connection, wanted).look()

    await inside.do(refused)
    assert inside.asked() == []


@needs_sshd
async def test_a_part_that_fails_lets_go_of_all(inside: Inside) -> None:
    hook = inside.sshd.folder / "hook"
    hook.write_text('#!/bin/sh\necho "hook $1" >>"$ASKED"; [ "$1" = thaw ] || { echo "no\033[2J room" >&2; exit 3; }\n')
    hook.chmod(0o755)

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, Wanted(mounts=("/dev/shm",), script=str(hook), mark="m2"))
        await quiet.look()
        with pytest.raises(ProbeFailed, match=r"hook failed: no room\.$"):
            await quiet.freeze()

    await inside.do(within)
    assert inside.asked() == ["hook freeze", "-u /dev/shm", "hook thaw"]
    await until(lambda: not timers("m2"))


@needs_sshd
async def test_the_timer_lets_go_in_time_and_the_thaw_after_it_is_no_success(inside: Inside) -> None:
    late: list[Thawed] = []

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, Wanted(mounts=("/dev/shm",), seconds=2, mark="m3"))
        await quiet.look()
        await quiet.freeze()
        await until(lambda: inside.asked() == ["-f /dev/shm", "-u /dev/shm"])
        await until(lambda: not timers("m3"))
        late.append(await quiet.thaw())

    await inside.do(within)
    assert not late[0].held
    assert late[0].notes == ("the guest's own timer let go after 2 s",)


_HOLD_AND_WAIT = """
import asyncio, sys
sys.path[:0] = {path!r}
from test_freeze import Quiet, Wanted, held_by
asyncio.run(held_by({folder!r}, {port}, {host_key!r}))
"""


async def held_by(folder: str, port: int, host_key: str) -> None:
    """What the process does that is killed: hold the guest, say so, and never let go."""
    again = Sshd.__new__(Sshd)
    again.folder, again.port, again.process = Path(folder), port, None
    again.user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: ASYNC221

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, Wanted(mounts=("/dev/shm",), seconds=3, mark="m4"))
        await quiet.look()
        await quiet.freeze()
        print("held", flush=True)
        await asyncio.Event().wait()

    await probe(again.route(), Evidence("id", console_with(host_key)), last="login", within=within)


@needs_sshd
async def test_a_killed_console_leaves_no_guest_frozen(inside: Inside) -> None:
    code = _HOLD_AND_WAIT.format(
        path=[str(Path(__file__).parent)],
        folder=str(inside.sshd.folder),
        port=inside.sshd.port,
        host_key=inside.sshd.host_key,
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert inside.asked() == ["-f /dev/shm"] and timers("m4")
    await until(lambda: inside.asked() == ["-f /dev/shm", "-u /dev/shm"])
    await until(lambda: not timers("m4"))


@pytest.mark.skipif(not shutil.which("setsid"), reason="there is no setsid")
def test_a_system_that_ends_all_at_the_logout_lets_go_at_once(tmp_path: Path) -> None:
    tools(tmp_path)
    text = timer_script(Wanted(mounts=("/data",), seconds=600, mark="m5"))
    done = subprocess.run(
        ["sh", "-s"], input=text, text=True, capture_output=True, env=environment(tmp_path), timeout=20
    )
    os.kill(int(done.stdout), signal.SIGTERM)
    deadline = time.monotonic() + 10
    while not (tmp_path / "asked").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "asked").read_text() == "-u /data\n"


@pytest.fixture
def loop_mount(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system on a loop device, at an odd name."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "fsfreeze", "mount"))):
        pytest.skip("only root can mount a file system to freeze, with mkfs.ext4 and fsfreeze")
    image, point = tmp_path / "disk.img", tmp_path / "it's $(a) disk"
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    point.mkdir()
    if subprocess.run(["mount", "-o", "loop", str(image), str(point)], capture_output=True).returncode != 0:
        pytest.skip("this machine has no loop devices to mount")
    yield point
    subprocess.run(["fsfreeze", "-u", str(point)], capture_output=True)
    subprocess.run(["umount", str(point)], check=True)


def writes(point: Path, begun: list[subprocess.Popen[bytes]]) -> bool:
    """Whether a write to this file system comes to its end soon; one that hangs ends at the thaw."""
    begun.append(subprocess.Popen(["sh", "-c", f"echo x >>{shlex.quote(str(point / 'file'))}"]))
    try:
        return begun[-1].wait(0.5) == 0
    except subprocess.TimeoutExpired:
        return False


@needs_sshd
async def test_a_real_file_system_stands_still_and_goes_on(sshd: Sshd, loop_mount: Path) -> None:
    sshd.start()
    seen: list[bool] = []
    begun: list[subprocess.Popen[bytes]] = []

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, Wanted(mounts=(str(loop_mount),), mark="m6"))
        await quiet.look()
        seen.append(await asyncio.to_thread(writes, loop_mount, begun))
        await quiet.freeze()
        seen.append(await asyncio.to_thread(writes, loop_mount, begun))
        thawed = await quiet.thaw()
        seen.append(await asyncio.to_thread(writes, loop_mount, begun))
        assert thawed.held and thawed.milliseconds is not None and thawed.milliseconds >= 500
        assert not (await quiet.thaw()).held

    evidence = Evidence("id", console_with(sshd.host_key))
    report = await probe(sshd.route(), evidence, last="login", within=within)
    assert report.failed is None, report
    assert seen == [True, False, True]
    assert [process.wait(10) for process in begun] == [0, 0, 0]


SERVER = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin")


@pytest.fixture
def mysql(tmp_path: Path) -> Iterator[Path]:
    """A MariaDB of the test's own, with one table; gives its socket."""
    make = shutil.which("mariadb-install-db")
    if SERVER is None or make is None or shutil.which("mysql") is None:
        pytest.skip("there is no MariaDB to start")
    data, sock = tmp_path / "data", tmp_path / "sql"
    own = ["--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
    subprocess.run([make, *own, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    words = [SERVER, *own, f"--socket={sock}", "--skip-networking", f"--pid-file={tmp_path / 'pid'}"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while sql(sock, "create database d; create table d.t (n int)") != 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    yield sock
    process.terminate()
    process.wait(30)


def sql(sock: Path, text: str, seconds: float = 20) -> int | None:
    """Do this as another client; its exit code, None where it does not come to its end."""
    words = ["mysql", f"--socket={sock}", "-uroot", "-e", text]
    try:
        return subprocess.run(words, capture_output=True, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return None


@needs_sshd
async def test_mysql_writes_nothing_while_it_is_held(sshd: Sshd, mysql: Path) -> None:
    (sshd.folder / ".my.cnf").write_text(f"[client]\nsocket={mysql}\nuser=root\n")
    sshd.start(f'SetEnv "HOME={sshd.folder}"')
    seen: list[int | None] = []
    insert = "set lock_wait_timeout = 1; insert into d.t values (1)"

    async def within(connection: asyncssh.SSHClientConnection) -> None:
        quiet = Quiet(connection, Wanted(databases=("mysql",), mark="m7"))
        await quiet.look()
        await quiet.freeze()
        seen.append(await asyncio.to_thread(sql, mysql, insert, 3))
        thawed = await quiet.thaw()
        seen.append(await asyncio.to_thread(sql, mysql, insert))
        assert thawed.held and quiet.wanted.grade == "application-consistent"
        late = Quiet(connection, Wanted(databases=("mysql",), seconds=2, mark="m8"))
        await late.look()
        await late.freeze()  # and nobody lets go: the database ends the silent session by itself
        async with asyncio.timeout(30):
            while await asyncio.to_thread(sql, mysql, insert, 3) != 0:
                pass
        assert not (await late.thaw()).held

    evidence = Evidence("id", console_with(sshd.host_key))
    report = await probe(sshd.route(), evidence, last="login", within=within)
    assert report.failed is None, report
    assert seen[0] != 0 and seen[1] == 0
