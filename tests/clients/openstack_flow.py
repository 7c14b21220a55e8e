"""python-openstackclient, unmodified: the commands that a person types.

One process runs them all, since each would spend two seconds on its imports. The interpreter that runs it has the
client beside it: `python openstack_flow.py CLOUD IMAGE SMALL MEDIUM NETWORK EXTERNAL` prints one JSON object,
{command: what came of it}.
"""

import contextlib
import io
import json
import sys
import time
import uuid

from openstackclient.shell import OpenStackShell

cloud, image, small, medium, network, external = sys.argv[1:7]
name = f"osc-{uuid.uuid4().hex[:6]}"
seen: dict[str, str] = {}


def run(*words: str) -> str:
    """What the command printed; it must succeed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = OpenStackShell().run(["--os-cloud", cloud, *words])
    assert code == 0, f"openstack {' '.join(words)}: {err.getvalue()}"
    return out.getvalue()


def told(*words: str) -> object:
    return json.loads(run(*words, "-f", "json"))


def tried(command: str, result: object = "ok") -> None:
    seen[command] = str(result)


def becomes(status: str) -> dict:
    until = time.monotonic() + 60
    while (server := told("server", "show", name))["status"] != status or server["OS-EXT-STS:task_state"]:
        assert time.monotonic() < until, server
        assert server["status"] != "ERROR", server
    return server


def act(status: str, *words: str) -> dict:
    run(*words)
    server = becomes(status)
    tried(" ".join(word for word in words if word != name), status)
    return server


def life() -> None:
    tried("flavor list", len(told("flavor", "list", "--long")))
    tried("image list", len(told("image", "list", "--long")))
    made = told("server", "create", name, "--image", image, "--flavor", small, "--network", network, "--wait")
    assert made["status"] == "ACTIVE", made
    tried("server create --wait", made["status"])
    try:
        listed = [row for row in told("server", "list", "--long", "-n") if row["Name"] == name]
        assert [row["Status"] for row in listed] == ["ACTIVE"], listed
        tried("server list --long -n", "ACTIVE")
        everything()
    finally:
        run("server", "delete", name, "--wait")
        tried("server delete --wait")
    assert name not in run("server", "list")


def everything() -> None:
    act("ACTIVE", "server", "reboot", "--wait", name)
    act("ACTIVE", "server", "reboot", "--hard", "--wait", name)
    act("SHUTOFF", "server", "stop", name)
    act("ACTIVE", "server", "start", name)
    server = act("VERIFY_RESIZE", "server", "resize", "--flavor", medium, "--wait", name)
    assert server["flavor"].get("original_name") == medium, server["flavor"]
    act("ACTIVE", "server", "resize", "revert", name)
    act("VERIFY_RESIZE", "server", "resize", "--flavor", medium, "--wait", name)
    act("ACTIVE", "server", "resize", "confirm", name)
    act("ACTIVE", "server", "rebuild", "--image", image, "--wait", name)
    run("server", "lock", name)
    run("server", "unlock", name)
    tried("server lock, unlock")
    run("server", "set", "--property", "colour=blue", name)
    assert told("server", "show", name)["properties"]["colour"] == "blue"
    tried("server set --property")
    run("server", "image", "create", "--name", f"{name}-image", "--wait", name)
    assert told("image", "show", f"{name}-image")["status"] == "active"
    run("image", "delete", f"{name}-image")
    tried("server image create --wait, image show, image delete")
    run("volume", "create", "--size", "1", name)
    while told("volume", "show", name)["status"] != "available":
        continue
    run("server", "add", "volume", name, name)
    while told("volume", "show", name)["status"] != "in-use":
        continue
    run("server", "remove", "volume", name, name)
    while told("volume", "show", name)["status"] != "available":
        continue
    run("volume", "delete", name)
    tried("server add volume, server remove volume, volume delete")
    address = told("floating", "ip", "create", external)["floating_ip_address"]
    run("server", "add", "floating", "ip", name, address)
    until = time.monotonic() + 30
    while address not in json.dumps(told("server", "show", name)["addresses"]):
        assert time.monotonic() < until, "the floating IP does not show"
    run("server", "remove", "floating", "ip", name, address)
    run("floating", "ip", "delete", address)
    tried("server add/remove floating ip")
    assert run("console", "log", "show", name).strip()
    tried("console log show")
    assert len(told("server", "event", "list", name)) > 5
    tried("server event list")
    assert told("limits", "show", "--absolute")
    tried("limits show --absolute")


life()
json.dump(seen, sys.stdout)
