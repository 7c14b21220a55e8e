"""The other main verbs by key, in a real terminal on both clouds: new, edit, explain, rebuild, many at once, delete."""

import asyncio
import re

from doings import audit_lines, audited
from ground import Cloud
from terminal import Terminal, terminal
from test_screen import WIDE, row_says
from witness import LOOK, PATIENCE

ENDED = ["asked", "accepted", "ended"]


async def choose(screen: Terminal, noun: str, name: str) -> None:
    """Look for a name in a picker, and take what has exactly this one."""
    await screen.until(rf"enter {noun}: ", f"the picker of {noun}s")
    await screen.type(f"/{name}")
    await screen.until(rf"enter {noun}: {re.escape(name)} ")
    await screen.press("Enter")


async def answer(screen: Terminal, label: str, text: str) -> None:
    """Type over what stands in the line of this label, and go on."""
    await screen.until(rf"▌ +{label}( |$)", f"{label} is asked")
    await screen.press("C-u")
    await screen.type(text)
    await screen.press("Enter")


async def new_server(screen: Terminal, cloud: Cloud, name: str) -> str:
    """Order a server by its dialogs; its id."""
    await screen.press("n")
    await answer(screen, "name", name)
    await choose(screen, "image", cloud.image)
    await choose(screen, "flavor", cloud.tiny)
    done = rf"✓ {re.escape(name)} +new server"
    for noun, wanted in (("network", cloud.network), ("key pair", "none"), ("zone", "any")):
        # Each is asked for where there is a choice.
        text = await screen.until(rf"enter {noun}: |enter (key pair|zone): |{done}|◐ {re.escape(name)}")
        if f"enter {noun}: " in text:
            await choose(screen, noun, wanted)
    await screen.until(done)
    (made,) = [line["made"] for line in audit_lines() if line["target"]["name"] == name and line["event"] == "accepted"]
    return str(made)


async def test_new_edit_explain_rebuild_many_and_delete(cloud: Cloud) -> None:
    one, two = cloud.name("one"), cloud.name("two")
    async with terminal(*WIDE) as screen:
        await screen.start("--os-cloud", cloud.member, "--os-region-name", cloud.regions[0])
        await screen.until("Servers +[0-9]")
        first = await new_server(screen, cloud, one)
        second = await new_server(screen, cloud, two)
        await screen.only(f"name:^{one}$")
        await row_says(screen, one, "ACTIVE")
        await edited(screen, cloud, first)
        await screen.press("x")
        await screen.until(rf"Explain {one}.*")
        await screen.until(r"request id +req-")
        await screen.press("Escape")
        await screen.until(lambda text: "esc close" not in text, "the page is closed")
        await screen.press("B")
        await choose(screen, "rebuild", cloud.image)
        await screen.until("Everything on its disk is lost")
        await screen.press("Enter")
        await screen.until("enter once more: rebuild")
        await screen.press("Enter")
        await screen.until(rf"✓ {re.escape(one)} +rebuild")
        await many(screen, cloud)
        await screen.press("q")
        assert await screen.ended() == (0, True)
    done = audited(audit_lines(), first)
    assert done["server.rebuild"] == done["server.reboot"] == done["server.delete"] == ENDED
    assert audited(audit_lines(), second)["server.delete"] == ENDED
    assert await cloud.witness.gone(first) and await cloud.witness.gone(second)


async def edited(screen: Terminal, cloud: Cloud, server: str) -> None:
    """Press e, give a description, and leave all else as it is; then take the description away."""
    for text in ("from the screen", ""):
        await screen.press("e")
        await screen.until(r"▌ +name( |$)")
        await screen.press("Enter")
        await answer(screen, "description", text)
        for label in ("host name", "access IPv4", "access IPv6"):
            await screen.until(rf"▌ +{label}( |$)")
            await screen.press("Enter")
        try:
            await described(cloud, server, text)
        except TimeoutError:
            raise AssertionError(f"the description is not {text!r}\n{await screen.text()}") from None
        await screen.press("d")  # and the screen has it too
        await screen.until(rf"description +{text or '—'}")
        await screen.press("q")
        await screen.until(lambda seen: "What it is" not in seen, "the view is closed")


async def described(cloud: Cloud, server: str, text: str) -> None:
    """Wait until the cloud has this description of the server."""
    async with asyncio.timeout(PATIENCE):
        while ((await cloud.witness.server(server) or {})["description"] or "") != text:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)


async def many(screen: Terminal, cloud: Cloud) -> None:
    """Both at once: all that is shown is marked; of a deletion the number is typed."""
    await screen.press("Escape")
    await screen.until(lambda text: "/name:" not in text, "the filter is gone")
    await screen.type(f"/name:^{cloud.prefix}")
    await screen.press("Enter")
    await screen.until(r"Servers +2 ")
    await screen.press("*")
    await screen.until("2 marked")
    await screen.press("r")
    await screen.until("enter reboot 2 servers")
    await screen.press("Enter")
    await screen.until("reboot: all 2 done")
    await screen.press("*", "D")
    await screen.until("Type 2 to delete 2 servers")
    await screen.type("2")
    await screen.press("Enter")
    await screen.until("delete: all 2 done")
