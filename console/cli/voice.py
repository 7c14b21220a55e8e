"""What is told to the person: always on stderr, since stdout is for data; and what is asked of them.

Everything said passes through `clean`, for names and clouds' sentences may hold escape codes.
"""

import sys

from console.errors import AmbiguousName, ConsoleError
from console.text import Secret, clean


def say(line: str) -> None:
    """One line on stderr."""
    print(clean(line), file=sys.stderr, flush=True)


def complain(error: ConsoleError) -> None:
    """An error in one sentence; below it the candidates of an ambiguous name."""
    say(f"novadeck: {sentence(error)}")
    for candidate in error.candidates if isinstance(error, AmbiguousName) else ():
        say(f"  {candidate}")


def sentence(error: ConsoleError) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())


def someone_there() -> bool:
    """Whether a person can be asked: the questions go to stderr, the answers come from stdin."""
    return sys.stdin is not None and sys.stdin.isatty()


def asked(question: str) -> str:
    """The answer to a question, stripped; "" at the end of input."""
    print(clean(question), end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def asked_secret(question: str) -> Secret:
    """An answer that is not shown while it is typed."""
    import getpass

    return Secret(getpass.getpass(f"{clean(question)} ", stream=sys.stderr))
