"""The command's front door, installed as a module of its own name beside the package `console`.

Another distribution has a package `console` too. Where it is found first, or has written over ours, nothing of ours can
be imported, not even to say so: this module looks before it imports, and says it in a sentence.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

ADVICE = "Install novadeck by itself: pipx install novadeck, uv tool install novadeck, or into a venv of its own."


def foreign() -> str:
    """Why the `console` that Python would import is not novadeck's; "" if it is."""
    spec = find_spec("console")
    if spec is None:
        return f"the package console is missing. {ADVICE}"
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    where = str(spec.origin or (places[0] if places else "console"))
    if not any((place / "cli" / "main.py").is_file() for place in places):
        return f"the package console in {where} belongs to another distribution and hides ours. {ADVICE}"
    head = Path(where).read_text(errors="replace")[:200] if Path(where).is_file() else ""
    if not head.startswith('"""novadeck'):
        return f"the package console in {where} has been overwritten by another distribution. {ADVICE}"
    return ""


def main() -> int:
    """Run the command line, if it is ours that would run."""
    if reason := foreign():
        print(f"novadeck: {reason}", file=sys.stderr)
        return 1
    from console.core.memory import expect_much

    expect_much()
    from console.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
