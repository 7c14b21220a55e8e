"""The help page, made from the declarations: it cannot promise a key that does something else."""

from console.model.status import Mood
from console.tui.deck import Deck
from console.tui.keys import COMMANDS, Keymap, shown
from console.tui.paint import EMPTY, Line, Span, pad, spans
from console.tui.panes import PANES
from console.tui.theme import Glyphs

KEYS, TITLES = 12, 24  # cells of a line's key and title
FILTERS = (
    ("web", "a regular expression over name, id, status, task, address, place, flavor and image"),
    ("!test", "what must not match; web!test is both"),
    ("task:image", f"one field: {' '.join(PANES['servers'].fields)}; in other panes their columns"),
    ("status!=ACTIVE", "one field that is not this word; = is the word and no other"),
    ("age<2h", "ages and numbers: < > <= >= with s m h d w y"),
)


def help_lines(keymap: Keymap, deck: Deck | None, glyphs: Glyphs, pane: str = "servers") -> list[Line]:
    """Every key by section, the filter's language, and what the glyphs say; what the pane shows stands first."""
    found: list[Line] = []
    for spec in sorted(PANES.values(), key=lambda spec: spec.name != pane):
        acts = [one for one in deck.actions().values() if one.on is spec.kind and one.command] if deck else []
        if acts:
            acts.sort(key=lambda action: not keymap.key(action.name))
            found += [_title(_on_one(spec.title))]
            found += [*(_key(keymap.key(a.name) or "", a.title, a.help) for a in acts), EMPTY]
    commands = deck.commands if deck else COMMANDS
    for section in dict.fromkeys(command.section for command in commands):
        found.append(_title(section))
        for command in commands:
            if command.section == section:
                keys = [key for (key, _), name in keymap.by_key.items() if name == command.name]
                found.append(_key(" ".join(map(shown, keys)), command.title, command.help))
        found.append(EMPTY)
    found.append(_title("Panes"))
    found += [_key(keymap.key(f"pane.{name}"), spec.title.lower(), "") for name, spec in PANES.items()]
    if keymap.conflicts:
        found += [EMPTY, _title("Two things on one key")]
        found += [spans(Span(conflict, "warn")) for conflict in keymap.conflicts]
    found += [EMPTY, _title("Filter")]
    found += [_key(example, "", words) for example, words in FILTERS]
    return [*found, EMPTY, _title("Glyphs"), *_legend(glyphs)]


def _on_one(title: str) -> str:
    """The title of a pane's keys: "On a key pair"."""
    noun = title.removesuffix("s")
    noun = noun[:1].lower() + noun[1:]
    return f"On {'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _title(words: str) -> Line:
    return spans(Span(words, "strong", True))


def _key(key: str, title: str, help: str) -> Line:
    room = KEYS if len(key) < KEYS else len(key) + 2
    return spans(Span(f"{key:<{room}}", "accent", True), Span(pad(title, TITLES) if title else ""), Span(help, "muted"))


def _legend(glyphs: Glyphs) -> list[Line]:
    words = {
        Mood.WELL: "well: ACTIVE, a place that answers",
        Mood.MOVING: "in motion: building, rebooting, resizing, imaging",
        Mood.ASKS: "asks for you: VERIFY_RESIZE, RESCUE",
        Mood.RESTS: "at rest: SHUTOFF, PAUSED, SUSPENDED, SHELVED",
        Mood.BROKEN: "broken: ERROR, a place that does not answer",
        Mood.UNKNOWN: "last known: nobody vouches for it now",
    }
    found = []
    for mood, text in words.items():
        glyph, role = glyphs.of(mood)
        found.append(spans(Span(f"{glyph:<{KEYS}}", role), Span(text, "text")))
    more = (
        (glyphs.beware, "warn", "slow, throttled or partial"),
        (glyphs.production, "production", "a production cloud"),
    )
    return found + [spans(Span(f"{glyph:<{KEYS}}", role), Span(text, "text")) for glyph, role, text in more]
