"""A login in words: by which way the guest let us in, why it did not, or what broke the connection before that."""

from collections.abc import Sequence

import asyncssh

from console.errors import HostKeyChanged, ProbeFailed
from console.guests.hostkeys import Judgement
from console.guests.reach import Offer
from console.text import clean


def broken(error: BaseException, judged: Judgement | None, seconds: float) -> ProbeFailed:
    """The failure in words; `judged` is the host key as far as it was seen."""
    if judged is not None and not judged.trusted:
        return HostKeyChanged(f"The host key is {judged.grade}: {judged.text}.", rung="host key")
    rung = "login" if judged is not None else "host key"
    if isinstance(error, TimeoutError):
        return ProbeFailed(f"No {rung} within {seconds:.3g} s: sshd stopped answering.", rung=rung)
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return HostKeyChanged(f"The host key is not trusted: {clean(error.reason)}.", rung="host key")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return ProbeFailed(f"No common algorithm: {clean(error.reason)}.", rung="host key")
    if isinstance(error, asyncssh.ConnectionLost | ConnectionError):
        return ProbeFailed(f"The connection broke at the {rung}: sshd went away.", rung=rung)
    reason = getattr(error, "reason", "") or str(error) or type(error).__name__
    return ProbeFailed(f"At the {rung} sshd says: {clean(reason).rstrip('.')}.", rung=rung)


def entrance(offered: Offer | None, keys: Sequence[Offer], password: str, pair: str) -> str:
    """By which way it let us in: the key that was offered last, or a password; and what became of its key pair."""
    pair = clean(pair)
    if offered is not None and offered.of_pair:
        return f"by its key pair {pair} ({clean(offered.said)})"
    way = clean(offered.said) if offered is not None else password or "nothing"
    if not pair:
        return f"by {way}"
    held = any(offer.of_pair for offer in keys)
    return f"by {way}; its key pair {pair} {'is not let in' if held else 'is not here'}"


def nobody(users: Sequence[str], keys: int, notes: Sequence[str], *, password: bool, kept_back: bool) -> ProbeFailed:
    """Nobody lets us in; `kept_back` is a password that only a host somebody vouches for would have got."""
    ways = [f"{keys} key{'s' if keys != 1 else ''}"] if keys else []
    ways += ["the password"] if password else []
    text = f"Nobody lets {clean(' or '.join(users))} in with {' or '.join(ways) or 'nothing to show'}.{_over(notes)}"
    if kept_back:
        text += " The password that the cloud told is kept back, since nobody vouches for the host key."
    return ProbeFailed(text, rung="login")


def keyless(notes: Sequence[str]) -> ProbeFailed:
    """There is nothing to show."""
    return ProbeFailed(f"There is no key of yours to log in with.{_over(notes)}", rung="login")


def _over(notes: Sequence[str]) -> str:
    return f" {'; '.join(notes)}." if notes else ""
