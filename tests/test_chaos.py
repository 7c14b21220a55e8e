"""Twenty consoles are killed at every gap of a runbook's way, and nothing is lost or done twice."""

import os
from pathlib import Path

from chaos import GAPS, SCENARIOS, Chaos

KILLS = 20
SEED = int(os.environ.get("NOVADECK_CHAOS_SEED", "7"))


async def test_nothing_is_lost_or_done_twice_whenever_a_console_is_killed(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, SEED)
    await chaos.run(KILLS)
    print(chaos.told())
    assert not chaos.violations, chaos.told()
    assert dict(chaos.kills) == GAPS and sum(GAPS.values()) == KILLS, chaos.told()
    assert chaos.operations >= len(SCENARIOS), chaos.told()
