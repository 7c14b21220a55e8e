"""One token for all who send: got once, renewed ahead of its end, and never begged for after a refusal."""

import asyncio

import pytest

from console.errors import Unauthorized, Unreachable
from console.wire.auth import Auth, Token


class Door:
    """A login that counts, and that may be told to fail."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.logins = 0
        self.failure: Exception | None = None
        self.opened = asyncio.Event()
        self.opened.set()

    def clock(self) -> float:
        return self.at

    async def __call__(self) -> Token:
        self.logins += 1
        number = self.logins
        await self.opened.wait()
        if self.failure is not None:
            raise self.failure
        return Token({"X-Auth-Token": f"t{number}"}, 100.0)


def signed(token: Token) -> str:
    return token.headers["X-Auth-Token"]


async def test_many_callers_make_one_login() -> None:
    door = Door()
    door.opened.clear()
    auth = Auth(door, clock=door.clock)
    callers = [asyncio.create_task(auth.token()) for _ in range(20)]
    await asyncio.sleep(0)
    door.opened.set()
    assert {signed(token) for token in await asyncio.gather(*callers)} == {"t1"}
    assert door.logins == 1


async def test_a_caller_that_goes_away_takes_nobody_with_it() -> None:
    door = Door()
    door.opened.clear()
    auth = Auth(door, clock=door.clock)
    first, second = (asyncio.create_task(auth.token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    door.opened.set()
    assert signed(await second)


async def test_a_token_is_renewed_at_four_fifths_of_its_life() -> None:
    door = Door()
    auth = Auth(door, clock=door.clock)
    assert signed(await auth.token()) == "t1"
    door.at += 79
    assert signed(await auth.token()) == "t1"
    door.at += 2
    assert signed(await auth.token()) == "t2"


async def test_an_early_renewal_that_fails_is_no_loss_while_the_old_token_holds() -> None:
    door = Door()
    auth = Auth(door, clock=door.clock)
    await auth.token()
    door.at += 85
    door.failure = Unreachable("nobody there")
    assert signed(await auth.token()) == "t1"
    assert signed(await auth.token()) == "t1"
    assert door.logins == 2  # not asked again at once
    door.at += 20
    with pytest.raises(Unreachable):
        await auth.token()


async def test_an_early_renewal_that_takes_long_holds_nobody_up_while_the_old_token_holds() -> None:
    door = Door()
    auth = Auth(door, clock=door.clock, early=0.2)
    await auth.token()
    door.at += 85
    door.opened.clear()
    async with asyncio.timeout(20):
        first = asyncio.create_task(auth.token())
        await asyncio.sleep(0)
        assert signed(await auth.token()) == "t1" and not first.done()
        assert signed(await first) == "t1"
        assert signed(await auth.token()) == "t1"
    assert door.logins == 2
    door.opened.set()
    door.at += 16  # past its end
    assert signed(await auth.token()) == "t3"


async def test_a_refused_login_is_final_until_asked_again() -> None:
    door = Door()
    door.failure = Unauthorized("wrong password")
    auth = Auth(door, clock=door.clock)
    for _ in range(5):
        with pytest.raises(Unauthorized, match="wrong password"):
            await auth.token()
    assert door.logins == 1
    assert auth.refused
    door.failure = None
    auth.retry()
    assert signed(await auth.token()) == "t2"
    assert not auth.refused


async def test_each_who_meets_a_refusal_gets_an_error_of_his_own() -> None:
    door = Door()
    door.failure = Unauthorized("wrong password", request_id="req-1")
    auth = Auth(door, clock=door.clock)
    met = []
    for place in ("lab/one", "lab/two"):
        with pytest.raises(Unauthorized) as caught:
            await auth.token()
        caught.value.place = place
        met.append(caught.value)
    assert [str(error) for error in met] == ["lab/one: wrong password (req-1)", "lab/two: wrong password (req-1)"]


async def test_those_who_waited_share_a_failure_and_the_next_one_asks_anew() -> None:
    door = Door()
    door.opened.clear()
    door.failure = Unreachable("nobody there")
    auth = Auth(door, clock=door.clock)
    callers = [asyncio.create_task(auth.token()) for _ in range(5)]
    await asyncio.sleep(0)
    door.opened.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(outcome, Unreachable) for outcome in outcomes)
    assert door.logins == 1
    door.failure = None
    assert signed(await auth.token()) == "t2"


async def test_a_refused_token_is_replaced_once_for_all() -> None:
    door = Door()
    auth = Auth(door, clock=door.clock)
    old = await auth.token()
    door.at += 30
    fresh = await asyncio.gather(*(auth.replace(old) for _ in range(5)))
    assert {signed(token) for token in fresh} == {"t2"}
    assert door.logins == 2


async def test_a_fresh_token_that_is_refused_is_not_worth_another_login() -> None:
    door = Door()
    auth = Auth(door, clock=door.clock)
    token = await auth.token()
    with pytest.raises(Unauthorized, match="fresh token"):
        await auth.replace(token)
    assert door.logins == 1


def test_a_token_does_not_print_itself() -> None:
    assert "secret" not in repr(Token({"X-Auth-Token": "secret"}, 1))
