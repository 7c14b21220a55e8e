"""Asks a real Nova every verb in every state, and keeps what it answered in `matrix.json`. Run by hand:

    tests/openstack/run.sh .venv/bin/python tests/openstack/record_matrix.py set|reached [STATE...]

Two ways, both to Nova's own code. "reached": a server is brought into a state by orders through the API, with the
lab's knobs holding what would pass, and is asked there. "set": the state is written into Nova's database, and a Nova
whose orders nobody hears (`lab/api_alone.sh`) is asked; that gives states which a lab does not reach, and lets an order
be taken without consequences. Orders that wait for a hypervisor's answer go to the whole lab instead.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Self

import matrix
import yaml
from ground import LAB
from matrix import ADMIN, ADMIN_VERBS, MEMBER, STATES, VERBS, Json, State
from reach import REACHED, reach, send
from witness import Witness

ALONE = "http://127.0.0.1:8773/v2.1"
ALONE_DATABASE = "alone_nova"
# Nova's API waits for a hypervisor host before it answers these.
WAITING = (
    "server.password",
    "server.console_log",
    "server.remote_console",
    "server.attach_volume",
    "server.attach_interface",
)
LAST = ("server.reset_state", "server.force_delete", "server.delete")
MICROVERSION = "2.96"

# Past the guards, and stopped by something that is not the server's state: nobody answers; the host is up; a group of
# another project; a server without ports.
BESIDE = ("MessagingTimeout", "still in use", "Security group", "as device id on any ports")
# What goes with a server's record when Nova's API deletes it by itself.
PARTS = ("block_device_mapping", "instance_extra", "instance_info_caches", "instance_system_metadata")

Answers = dict[tuple[str, str], tuple[int, str]]


class Records:
    """The lab's database, by its own client."""

    async def __aenter__(self) -> Self:
        command = ["mariadb", "--no-defaults", "-nN", f"--socket={LAB}/run/mariadb.sock", "--user=root"]
        pipe = subprocess.PIPE
        self._client = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        self._turn = asyncio.Lock()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._client.stdin
        self._client.stdin.close()
        await self._client.wait()

    async def do(self, *statements: str) -> None:
        """Run statements, and come back when they are done."""
        assert self._client.stdin and self._client.stdout
        async with self._turn:
            self._client.stdin.write(("; ".join([*statements, "SELECT 'done'"]) + ";\n").encode())
            answer = await self._client.stdout.readline()
            assert answer == b"done\n", answer

    async def put(self, database: str, server: str, state: State, host: str) -> None:
        """Write a state into a server's record, and take back what an order has begun there."""
        values = {
            "vm_state": state.vm,
            "task_state": state.task,
            "power_state": state.power,
            "locked": int(state.locked),
            "locked_by": "owner" if state.locked else None,
            "launched_at": "2026-01-01 00:00:00" if state.launched else None,
            "host": host if state.host else None,
            "node": host if state.host else None,
            "deleted": 0,
            "deleted_at": None,
            "terminated_at": None,
        }
        told = ", ".join(f"{name} = {_quoted(value)}" for name, value in values.items())
        where = f"instance_uuid = '{server}'"
        parts = PARTS if database == ALONE_DATABASE else ()  # the lab's own deleted rows are deleted for good
        await self.do(
            f"UPDATE {database}.instances SET {told} WHERE uuid = '{server}'",
            f"DELETE FROM {database}.migrations WHERE migration_type = 'evacuation' AND {where}",
            f"UPDATE {database}.migrations SET status = 'finished' WHERE {where}",
            *(f"UPDATE {database}.{table} SET deleted = 0, deleted_at = NULL WHERE {where}" for table in parts),
            f"UPDATE {database}_api.instance_mappings SET queued_for_delete = 0 WHERE {where}",
        )


def _quoted(value: object) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


class Lab:
    """The lab with what the requests need: an image, a flavor, a network, servers with a port and a volume."""

    def __init__(self, member: Witness, admin: Witness, records: Records) -> None:
        self.who = {MEMBER: member, ADMIN: admin}
        self.records = records
        self.member = member
        self.prefix = f"moves{uuid.uuid4().hex[:4]}-"
        self.things: Json = {"name": f"{self.prefix}image"}
        self.volumes: list[str] = []

    async def look(self) -> None:
        """Learn the ids of what every cloud of ours has."""
        networks = (await self.member.ask("network", "/v2.0/networks"))["networks"]
        inner = next(network for network in networks if not network.get("router:external"))
        self.things |= {
            "image": (await self.member.image("debian-12"))["id"],
            "flavor": (await self.member.flavor("m1.small"))["id"],
            "network": inner["id"],
            "volume": await self.volume(),
            "group": f"{self.prefix}group",
        }
        asked = {"security_group": {"name": self.things["group"]}}
        made = await self.member.call("POST", "network", "/v2.0/security-groups", asked)
        self.group = made.body["security_group"]["id"]

    async def volume(self) -> str:
        """A new volume, when it is available."""
        asked = {"volume": {"size": 1, "name": f"{self.prefix}volume"}}
        made = await self.member.call("POST", "block-storage", "/volumes", asked)
        assert made.status == 202, made
        volume = str(made.body["volume"]["id"])
        self.volumes.append(volume)
        await self.settled(volume, "available")
        return volume

    async def settled(self, volume: str, status: str) -> None:
        """Wait for a volume's status."""
        async with asyncio.timeout(60):
            while True:
                if (await self.member.ask("block-storage", f"/volumes/{volume}"))["volume"]["status"] == status:
                    return
                await asyncio.sleep(0.2)

    async def create(self, word: str, **more: Any) -> str:
        """A server of this run's own, ordered."""
        return await self.member.create(f"{self.prefix}{word}", **more)

    async def furnish(self, server: str) -> Json:
        """Give a running server a volume; the ids of that and of its port."""
        volume = await self.volume()
        body = {"volumeAttachment": {"volumeId": volume}}
        answer = await self.member.call("POST", "compute", f"/servers/{server}/os-volume_attachments", body)
        assert answer.status < 300, answer
        await self.settled(volume, "in-use")
        ports = (await self.member.ask("network", f"/v2.0/ports?device_id={server}"))["ports"]
        return self.things | {"attached": volume, "port": ports[0]["id"]}

    async def take_off(self, server: str, volume: str) -> None:
        """Take a volume off a server, and wait until neither knows of the other."""
        path = f"/servers/{server}/os-volume_attachments/{volume}"
        gone = await self.member.call("DELETE", "compute", path)
        assert gone.status == 202, gone
        async with asyncio.timeout(60):
            while (await self.member.call("GET", "compute", path)).status != 404:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await self.settled(volume, "available")

    async def ungroup(self, to: Witness, server: str) -> None:
        """Take the security group of this run off a server."""
        await to.act(server, {"removeSecurityGroup": {"name": self.things["group"]}})

    async def clean(self) -> None:
        """Delete what this run made."""
        mine = (await self.member.ask("compute", f"/servers?name=%5E{self.prefix}"))["servers"]
        for server in mine:  # locked ones too
            await self.who[ADMIN].call("DELETE", "compute", f"/servers/{server['id']}")
        await self.member.clean(self.prefix)
        await self.who[ADMIN].clean(self.prefix)
        await self.member.call("DELETE", "network", f"/v2.0/security-groups/{self.group}")
        for volume in self.volumes:
            path = f"/volumes/{volume}"
            asked = {"os-reset_status": {"status": "available", "attach_status": "detached"}}
            await self.who[ADMIN].call("POST", "block-storage", f"{path}/action", asked)
            await self.member.call("DELETE", "block-storage", path)


def orders(state_locked: bool) -> Iterable[tuple[str, str]]:
    """Who asks what: a member everything; an administrator what only he may, and everything of what is locked."""
    asked = [(MEMBER, verb) for verb in VERBS]
    asked += [(ADMIN, verb) for verb in VERBS if state_locked or verb in ADMIN_VERBS]
    yield from sorted(asked, key=lambda order: order[1] in LAST and 1 + LAST.index(order[1]))


# ------------------------------------------------------------ set


async def set_states(lab: Lab, names: list[str]) -> Json:
    """Every state written into the database of a Nova that stands alone."""
    wanted = [STATES[name] for name in names]
    plain, moved, lost, *shelved = await _prepare(lab)
    await api_alone("up")
    alone = {}
    for who, witness in lab.who.items():
        alone[who] = Witness({"auth": witness._auth}, "RegionOne", MICROVERSION)
    try:
        async with contextlib.AsyncExitStack() as stack:
            for witness in alone.values():
                await stack.enter_async_context(witness)
                witness._endpoints["compute"] = ALONE
            found: Json = {}
            for state in wanted:
                server, things = plain if state.vm != "resized" else moved
                if not state.host:  # Nova's API takes volumes off by itself here, so these can be asked once
                    server, things = shelved.pop() if state.vm == "shelved_offloaded" and not state.task else lost
                found[state.name] = await _ask_all(lab, alone, server, things, state)
                keep("set", state.name, found[state.name])
            return found
    finally:
        await api_alone("down")


async def api_alone(what: str) -> None:
    """Start or stop the Nova that nobody hears."""
    script = Path(__file__).with_name("lab") / "api_alone.sh"
    assert await (await asyncio.create_subprocess_exec(script, what)).wait() == 0


async def _prepare(lab: Lab) -> list[tuple[str, Json]]:
    servers = [await lab.create(f"set-{number}") for number in range(5)]
    for server in servers:
        await lab.member.until(server, "ACTIVE")
    found = list(zip(servers, await asyncio.gather(*map(lab.furnish, servers)), strict=True))
    answer = await lab.member.act(servers[1], {"resize": {"flavorRef": lab.things["flavor"]}})
    assert answer == 202, answer
    await lab.member.until(servers[1], "VERIFY_RESIZE")
    medium = (await lab.member.flavor("m1.medium"))["id"]
    found[1][1]["flavor"] = medium
    return found


async def _ask_all(lab: Lab, alone: dict[str, Witness], server: str, things: Json, state: State) -> Json:
    record = await lab.who[ADMIN].server(server)
    assert record is not None
    host = record["OS-EXT-SRV-ATTR:host"]
    records = lab.records
    answers: Answers = {}
    await records.put(ALONE_DATABASE, server, state, host)
    seen = await alone[MEMBER].server(server)
    assert seen is not None
    asked = list(orders(state.locked))
    if state.task is not None:  # no guard of Nova's is there, and Neutron takes its time
        asked = [each for each in asked if each[1] != "server.security_group"]
    refused = [each for each in asked if matrix.predicted(each[1], matrix.read(seen), each[0])]
    refused = [each for each in refused if each[1] != "server.evacuate"]
    found = await asyncio.gather(*(send(alone[who], server, verb, things) for who, verb in refused))
    answers |= dict(zip(refused, found, strict=True))
    for who, verb in asked:
        if (who, verb) in answers and answers[who, verb][0] in (403, 409):
            continue
        if verb in WAITING:
            answers[who, verb] = await _ask_whole(lab, who, verb, server, things, state, host)
            continue
        if verb == "server.evacuate":
            await records.do(f"UPDATE alone_nova.services SET forced_down = 1 WHERE host = '{host}'")
        code, words = answers[who, verb] = await send(alone[who], server, verb, things)
        if verb == "server.evacuate":
            await records.do("UPDATE alone_nova.services SET forced_down = 0")
        if any(word in words for word in BESIDE):
            del answers[who, verb]
        if code < 400 or code >= 500:
            await records.put(ALONE_DATABASE, server, state, host)
            if verb == "server.security_group":
                await lab.ungroup(alone[who], server)
            if verb == "server.detach_volume":
                path = f"/volumes/{things['attached']}/action"
                await lab.who[ADMIN].call("POST", "block-storage", path, {"os-roll_detaching": {}})
    _oddities(state.name, seen, answers)
    return {"record": matrix.read(seen), "answers": _told(answers)}


async def _ask_whole(lab: Lab, who: str, verb: str, server: str, things: Json, state: State, host: str) -> Any:
    """Ask the whole lab, with the state in its own database for as long as that takes."""
    rest = State("resized" if state.vm == "resized" else "active")
    if verb == "server.attach_volume" and state.vm == "shelved_offloaded":
        things = things | {"volume": await lab.volume()}  # it stays with the server
    await lab.records.put("nova", server, state, host)
    answer = await send(lab.who[who], server, verb, things)
    if verb == "server.attach_volume" and answer[0] < 300 and state.host:
        await lab.settled(things["volume"], "in-use")
        await lab.records.put("nova", server, rest, host)
        await lab.take_off(server, things["volume"])
    await lab.records.put("nova", server, rest, host)
    return answer


def _count(state: Json) -> int:
    return sum(map(len, state["answers"].values()))


def _told(answers: Answers) -> Json:
    told: Json = {}
    for (who, verb), (code, _) in answers.items():
        told.setdefault(who, {})[verb] = code
    return told


# ------------------------------------------------------------ reached

HARMLESS = frozenset(
    f"server.{word}" for word in "set metadata tags security_group console_log remote_console history evacuate".split()
)
FURNISHED = frozenset(f"server.{word}" for word in "attach_volume detach_volume detach_interface".split())


class Asked:
    """One state reached on the lab, and what was answered there."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.way = REACHED[name]
        self.state = STATES[name]
        self.held = self.state.task is not None
        self.answers: Answers = {}
        self.record: Json = {}
        self._count = 0

    async def all(self) -> Json:
        """Reach the state as often as needed, until every verb was asked in it."""
        server, things = await self._reach(furnish=True)
        left = list(orders(False))
        await self._ask_still(server, things, left)
        for who, verb in left:
            if (who, verb) in self.answers:
                continue
            if server is None:
                server, things = await self._reach(furnish=verb in FURNISHED)
            if self.held:
                await self._hold(server)
            code = await self._ask(who, verb, server, things)
            if code < 300:
                server = await self._after(server, verb)
        _oddities(self.name, self.record, self.answers)
        return {"record": matrix.read(self.record), "answers": _told(self.answers)}

    async def _ask_still(self, server: str, things: Json, left: list[tuple[str, str]]) -> None:
        """First what leaves the state as it is, and make sure that it did."""
        seen = matrix.read(self.record)
        still = [each for each in left if matrix.predicted(each[1], seen, each[0]) or each[1] in HARMLESS]
        for who, verb in still:
            if await self._ask(who, verb, server, things) < 300 and verb == "server.security_group":
                await self.lab.ungroup(self.lab.member, server)
        record = await self.lab.member.server(server)
        assert record is not None
        assert matrix.read(record) == seen, f"{seen} has become {matrix.read(record)}"

    async def _ask(self, who: str, verb: str, server: str, things: Json) -> int:
        code, words = await send(self.lab.who[who], server, verb, things)
        if not (("detach" in verb and code == 404) or any(word in words for word in BESIDE)):
            self.answers[who, verb] = code, words
        return code

    async def _reach(self, furnish: bool) -> tuple[str, Json]:
        lab = self.lab
        self._count += 1
        word = f"{self.name.replace(' ', '-')}-{self._count}"
        server = await lab.create(word, flavor=self.way.flavor, metadata=self.way.metadata)
        things = dict(lab.things)
        if furnish and self.way.steps[0] == "=ACTIVE":
            await lab.member.until(server, "ACTIVE")
            things = await lab.furnish(server)
            things["volume"] = await lab.volume()
        record = await reach(lab.who, server, self.way, things)
        self.record = self.record or record
        same = matrix.read(record), matrix.read(self.record)
        assert same[0]["OS-EXT-STS:task_state"] == same[1]["OS-EXT-STS:task_state"], same
        return server, things

    async def _after(self, server: str, verb: str) -> str | None:
        """What an order has left: the server, put back into its state, or None when another one must be made."""
        record = await self.lab.member.server(server)
        if verb in ("server.lock", "server.unlock"):
            assert await self.lab.member.act(server, {"lock" if self.state.locked else "unlock": None}) == 202
            return server
        if not self.held or record is None:
            await self.lab.member.call("DELETE", "compute", f"/servers/{server}")
            return None
        return server

    async def _hold(self, server: str) -> None:
        """Write the task state again, which an order may have changed, or the end of the task."""
        told = f"vm_state = {_quoted(self.state.vm)}, task_state = {_quoted(self.state.task)}"
        await self.lab.records.do(f"UPDATE nova.instances SET {told} WHERE uuid = '{server}'")


async def reached_states(lab: Lab, names: list[str]) -> Json:
    """Every state that is reached by orders alone, three at a time."""
    found: Json = {}
    room = asyncio.Semaphore(3)

    async def one(name: str) -> None:
        async with room:
            try:
                found[name] = await Asked(lab, name).all()
                keep("reached", name, found[name])
            except Exception as error:
                print(f"NOT      {name}: {error!r}", flush=True)

    await asyncio.gather(*(one(name) for name in names))
    return found


def _oddities(state: str, record: Json, answers: Answers) -> None:
    for (who, verb), (code, words) in answers.items():
        said = matrix.predicted(verb, matrix.read(record), who)
        if matrix.passed(code) == bool(said) or code >= 500 or code in (400, 404):
            print(f"    {state} | {who} {verb}: {code} {words[:150]} | predicted: {said}", flush=True)


async def main(way: str, names: list[str]) -> None:
    """Ask, and add what was answered to what is kept."""
    entries = yaml.safe_load((LAB / "clouds.yaml").read_text())["clouds"]
    async with Records() as records, contextlib.AsyncExitStack() as stack:
        accounts = {MEMBER: "lab", ADMIN: "lab-admin"}
        who = {
            role: await stack.enter_async_context(Witness(entries[entry], "RegionOne", MICROVERSION))
            for role, entry in accounts.items()
        }
        lab = Lab(who[MEMBER], who[ADMIN], records)
        try:
            await lab.look()
            ask = {"set": set_states, "reached": reached_states}[way]
            found = await ask(lab, names or list({"set": STATES, "reached": REACHED}[way]))
        finally:
            await lab.clean()
    cells = sum(map(_count, found.values()))
    print(f"{len(found)} states, {cells} cells")


def keep(way: str, name: str, found: Json) -> None:
    """Put one state's answers to what is kept."""
    kept = matrix.load() if matrix.KEPT.exists() else {}
    kept |= {"nova": version(), "microversion": MICROVERSION}
    kept.setdefault(way, {})[name] = found
    matrix.KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(f"{way:8} {name}: {_count(found)} answers", flush=True)


@cache
def version() -> str:
    """The lab's Nova."""
    command = [LAB / "venv/bin/python", "-c", "import importlib.metadata as m; print(m.version('nova'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
