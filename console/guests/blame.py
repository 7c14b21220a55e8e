"""What broke a connection that had begun to speak SSH: the rung that it stood at, and why, in one sentence."""

import asyncssh

from console.errors import HostKeyChanged, ProbeFailed
from console.guests.hostkeys import Judgement
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
