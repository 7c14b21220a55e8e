"""The embedded cloud beside recordings of a real one: the same keys, types, codes, words, events and orders of states.

The recordings are `tests/recorded/real.json`; `tests/recorded/record.py` makes them. What the embedded cloud answers
otherwise is its mistake, and is mended there.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "recorded"))
from comparison import REAL, SHORT, differences, sequences_differ
from embedded import tape_of
from flows import FLOWS


def test_every_flow_is_recorded_and_none_is_empty() -> None:
    assert REAL.keys() == FLOWS.keys()
    for flow, recorded in REAL.items():
        assert recorded["calls"], flow
        for label, seen in recorded["sequences"].items():
            assert seen and all(seen), label
        for label, events in recorded["events"].items():
            assert events, label


@pytest.mark.parametrize("flow", FLOWS)
async def test_the_answers_states_and_events_are_the_real_ones(flow: str) -> None:
    tape = await tape_of(flow)
    assert differences(tape, flow) == []


def test_the_states_that_may_be_missed_are_short_in_truth() -> None:
    """Nothing is excused that every recording shows: such a state is no short one."""
    sequences = [seen for recorded in REAL.values() for seen in recorded["sequences"].values()]
    for state in SHORT:
        shown = [seen for seen in sequences if any(state in states for states in seen)]
        missed = [states for seen in sequences for states in seen if state not in states]
        assert not shown or missed, state


def test_a_skipped_state_is_a_difference() -> None:
    real = [["ACTIVE powering-off", "SHUTOFF -"]]
    assert sequences_differ("stop", real, ["ACTIVE powering-off", "SHUTOFF -"]) == []
    assert sequences_differ("stop", real, ["SHUTOFF -"]) != []
    assert sequences_differ("stop", real, ["ACTIVE powering-off", "ACTIVE -", "SHUTOFF -"]) != []
    assert sequences_differ("stop", real, ["SHUTOFF -", "ACTIVE powering-off"]) != []
