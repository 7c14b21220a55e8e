"""The real screen over the embedded cloud whose servers, images and networks have the names of `NAMES`, for tests that
look at it in a terminal: `python names_app.py FOLDER`, which is told which server has which name.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import console
from console.core.settings import CloudSettings, Paths, Settings
from console.sim.estate import Estate
from console.tui.app import run

NAMES = {
    "plain": "an-ordinary-name",
    "markup": "[bold red]x[/] [/] {y}",
    "escape": "a\x1b[2J\x1b]0;own\x07b\x00c",
    "controls": "tab\tnewline\nbell\x07del\x7fc1\x9b",
    "emoji": "\U0001f680-launch-\U0001f40b",
    "sequence": "fam-\U0001f468\u200d\U0001f469\u200d\U0001f467-ily",
    "flag": "de-\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7-fr",
    "presentation": "\u2764\ufe0f-\u260e\ufe0f-1\ufe0f\u20e3",
    "skin": "wave-\U0001f44b\U0001f3fd-hi",
    "hebrew": "\u05e9\u05e8\u05ea-\u05d0\u05d7\u05d3",
    "arabic": "\u062e\u0627\u062f\u0645-\u0648\u064a\u0628",
    "direction": "a\u202egnp.exe\u2066x\u2069",
    "combining": "e\u0301\u0302clair-n\u0303",
    "devanagari": "\u0928\u093f\u0930\u094d\u092e\u093e\u0923",
    "chinese": "\u77ed\u3044\u540d\u524d\u306e\u30b5\u30fc\u30d0\u30fc",
    "korean": "\ud55c\uae00-\uc11c\ubc84",
    "jamo": "\u1112\u1161\u11ab-\u1100\u1173\u11af",
    "invisible": "we\u00adb\u3164\u180e-\U000e0067",
    "long": "long-" + "x" * 240 + "-end",
    "wide-long": "\u957f" * 60 + "-end",
}


@asynccontextmanager
async def opened() -> AsyncIterator[console.Console]:
    """The console over a cloud of such names."""
    folder = Path(sys.argv[1])
    async with Estate(servers=len(NAMES) + 12, clouds=1, regions=1, guests=0, speed=0, seed=1) as estate:
        ((cloud, place),) = estate.places
        calm = [one for one in place.nova.alive() if one.vm_state == "active" and not one.task_state]
        others = [one for one in place.nova.alive() if one not in calm]
        for server, name in zip([*calm, *others], NAMES.values(), strict=False):
            server.name = name
            server.metadata = {name[:60]: name[:200]}
            server.vm_state, server.task_state, server.locked = "active", None, False
        ids = {kind: server.id for kind, server in zip(NAMES, [*calm, *others], strict=False)}
        (folder / "ids.json").write_text(json.dumps(ids))
        for image, name in zip(place.glance.images.values(), NAMES.values(), strict=False):
            image.name = name
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(estate.write_clouds_yaml(folder))
        paths = Paths(folder / "config", folder / "state", folder / "run")
        settings = Settings(clouds={cloud.name: CloudSettings(production=True)})
        async with console.open([cloud.name], settings=settings, paths=paths) as one:
            yield one


if __name__ == "__main__":
    run(opened)
