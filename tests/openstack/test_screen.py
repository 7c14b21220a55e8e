"""The screen in a real terminal, on both clouds: every key pressed, and the cloud asked what came of it."""

import asyncio
import re
from pathlib import Path

from doings import actions_of, guest_up, new_key_pair, settings_folder
from ground import Cloud
from terminal import Terminal, terminal
from witness import Json

WIDE = (160, 45)


async def row_says(screen: Terminal, name: str, *words: str) -> str:
    """Wait until the server's row has these words, one after another; the whole screen."""
    return await screen.until(rf"^..?.?[•◐◆✕○◌] {re.escape(name)} +" + ".* ".join(words), f"{name}: {words}")


async def order(screen: Terminal, name: str, key: str, title: str, *answers: str) -> None:
    """Press a key on the row under the cursor, answer its dialog, and see its operation end well."""
    await screen.press(key)
    if answers:
        await screen.until(r"esc (leave it|keep it)", f"the dialog of {key}")
        await screen.press(*answers)
    await screen.until(rf"✓ {re.escape(name)} +{title}", f"{title} has ended well")


def chosen(text: str) -> str:
    """What Enter would do in the picker of flavors."""
    found = re.search(r"resize to \S+", text)
    return found[0] if found else ""


async def resize(screen: Terminal, name: str, before: str, after: str) -> None:
    """Press f, go down to this flavor, take it, and see the server ask for a decision."""
    await screen.press("f")
    shown = await screen.until(r"resize to \S", "the picker of flavors")
    async with asyncio.timeout(60):
        while (choice := chosen(shown)) != f"resize to {after}":
            await screen.press("j")
            shown = await screen.until(lambda text: chosen(text) not in ("", choice), "another flavor")
    await screen.press("Enter")
    await screen.until(rf"✓ {re.escape(name)} +resize  {before} → {after}")
    await row_says(screen, name, "VERIFY_RESIZE")


async def actions(cloud: Cloud, server: str) -> list[str]:
    """What the cloud says was asked of a server, the oldest first."""
    found: list[Json] = (await cloud.witness.ask("compute", f"/servers/{server}/os-instance-actions"))[
        "instanceActions"
    ]
    assert actions_of(found)
    return [record["action"] for record in found][::-1]


async def flavor_of(cloud: Cloud, server: str) -> str:
    """The flavor's name, once the server is at rest."""
    return str((await cloud.witness.until(server, "ACTIVE"))["flavor"]["original_name"])


async def test_seven_keys(cloud: Cloud, tmp_path: Path) -> None:
    pair = await new_key_pair(cloud, tmp_path)
    name = cloud.name("w")
    server = await cloud.witness.create(name, key_name=pair.name)
    await cloud.witness.until(server, "ACTIVE")
    if cloud.guests:
        await guest_up(cloud, server)
    settings = settings_folder()
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(f'[clouds.{cloud.member}.ssh]\nuser = "root"\nkey = "{pair.file}"\n')
    async with terminal(*WIDE) as screen:
        await screen.start("--os-cloud", cloud.member, "--os-cloud", cloud.admin)
        await screen.only(name)
        await row_says(screen, name, "ACTIVE")
        await screen.until(rf"▸ • {name}")
        if cloud.guests:
            await order(screen, name, "t", "check over SSH")
        await order(screen, name, "r", "reboot", "Enter")
        await order(screen, name, "R", "hard reboot", "Enter")
        await resize(screen, name, cloud.tiny, cloud.small)
        await order(screen, name, "C", "confirm resize", "Enter")
        await row_says(screen, name, "ACTIVE", cloud.small)
        assert await flavor_of(cloud, server) == cloud.small
        await resize(screen, name, cloud.small, cloud.medium)
        await order(screen, name, "V", "revert resize", "Enter")
        await row_says(screen, name, "ACTIVE", cloud.small)
        assert await flavor_of(cloud, server) == cloud.small
        await screen.press("i")
        await screen.until(r"image name")
        await screen.press("C-u")
        await screen.type(cloud.name("p"))
        await screen.press("Enter")
        await screen.until(rf"✓ {name} +image  {cloud.name('p')}")
        image = await cloud.witness.image(cloud.name("p"))
        assert (image["status"], image["instance_uuid"]) == ("active", server)
        await screen.until(rf"{cloud.name('p')} .*(B|K|M|G|—|-)")
        done = ["create", "reboot", "reboot", "resize", "confirmResize", "resize", "revertResize", "createImage"]
        assert await actions(cloud, server) == done
        await screen.press("C")
        await screen.until(r"C confirm resize: there is no resize to confirm")
        await screen.press("q")
        assert await screen.ended() == (0, True)


async def test_names_are_text(cloud: Cloud) -> None:
    """No cloud takes a control character in a name; what looks like markup, or like an escape code, is only text."""
    witness = cloud.witness
    flavor, image = (await witness.flavor(cloud.tiny))["id"], (await witness.image(cloud.image))["id"]
    evil = {"name": "[bold]x[/]\x1b[2J", "flavorRef": flavor, "imageRef": image, "networks": "none"}
    assert (await witness.call("POST", "compute", "/servers", {"server": evil})).status == 400
    name = cloud.name(r"[bold]x[/]\x1b[2J")
    server = await witness.create(name)
    async with terminal(*WIDE) as screen:
        await screen.start("--os-cloud", cloud.member)
        await screen.only(cloud.prefix)
        await screen.until(r"Servers +1 ")  # its name is cut in the middle here, and whole in its detail view
        await screen.press("Enter")
        await screen.until(lambda text: name in text and server in text, name)
        await screen.press("q", "q")
        assert await screen.ended() == (0, True)
