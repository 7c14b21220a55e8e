"""The flows on an embedded cloud whose clock moves one small step between two looks, so that no state is missed."""

import aiohttp
from flows import follow_all
from tape import Tape

from console.sim.estate import Estate

STEP = 0.05


async def tape_of(*flows: str) -> Tape:
    """The tape of these flows, or of all, on a cloud of their own."""
    estate = Estate(servers=8, clouds=1, regions=1, guests=0, speed=0, seed=1)
    async with estate, aiohttp.ClientSession() as http:

        async def step() -> None:
            await estate.clock.advance(STEP)

        user, admin = list(estate.clouds_yaml()["clouds"].values())[:2]
        tape = Tape(http, user["auth"], user["region_name"], step)
        tape.patience = 4
        await tape.with_admin(admin["auth"])
        await follow_all(tape, *flows)
        return tape
