"""Completion scripts for three shells, written from the declarations: they know every word and never run novadeck."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from console.cli.commands import Command, Option, every
from console.cli.parse import Given

Path = tuple[str, ...]


class Choice(NamedTuple):
    """What may follow a row of words: further words and options, each with its help."""

    words: Mapping[str, str]
    options: Sequence[Option]


def run(given: Given) -> int:
    """Print the script of the shell that was named."""
    sys.stdout.write(SHELLS[given.names[0]](choices(every())))
    return 0


def choices(commands: Sequence[Command]) -> dict[Path, Choice]:
    """What may follow, by the words before it."""
    found: dict[Path, Choice] = {}
    for command in sorted(commands):
        for length in range(len(command.words) + 1):
            before = command.words[:length]
            known = found.setdefault(before, Choice({}, ()))
            words = dict(known.words)
            if length < len(command.words):
                last = length + 1 == len(command.words)
                words.setdefault(command.words[length], command.help if last else f"{command.words[length]} ...")
                found[before] = known._replace(words=words)
            else:
                words |= dict.fromkeys(command.choices, "")
                found[before] = Choice(words, command.all_options())
    return found


def _cases(table: Mapping[Path, Choice]) -> Iterator[str]:
    """The arms of a case statement that bash and zsh share."""
    for path, choice in sorted(table.items()):
        known = [*choice.words, *(flag for option in choice.options for flag in option.flags)]
        yield f'    "{" ".join(path)}") known="{" ".join(known)}" ;;'


def _valued(table: Mapping[Path, Choice]) -> dict[tuple[str, ...], set[str]]:
    """Which values follow which options, where that is known beforehand."""
    found: dict[tuple[str, ...], set[str]] = {}
    for choice in table.values():
        for option in choice.options:
            if option.value:
                found.setdefault(option.flags, set()).update(option.choices)
    return found


def _value_cases(table: Mapping[Path, Choice]) -> Iterator[str]:
    for flags, values in sorted(_valued(table).items()):
        yield f'    {"|".join(flags)}) known="{" ".join(sorted(values))}" ;;'


def _paths(table: Mapping[Path, Choice]) -> str:
    return "|".join(f'"{" ".join(path)}"' for path in sorted(table) if path)


def bash(table: Mapping[Path, Choice]) -> str:
    """The script for bash."""
    lines = [
        '# Completion of novadeck for bash: eval "$(novadeck completion bash)"',
        "_novadeck() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path="" known="" word index',
        "  for ((index = 1; index < COMP_CWORD; index++)); do",
        '    word="${COMP_WORDS[index]}"',
        '    case "${path:+$path }$word" in',
        f'      {_paths(table)}) path="${{path:+$path }}$word" ;;',
        "    esac",
        "  done",
        '  case "$path" in',
        *_cases(table),
        "  esac",
        '  case "$before" in',
        *_value_cases(table),
        "  esac",
        '  mapfile -t COMPREPLY < <(compgen -W "$known" -- "$current")',
        "}",
        "complete -o default -F _novadeck novadeck",
    ]
    return "\n".join(lines) + "\n"


def zsh(table: Mapping[Path, Choice]) -> str:
    """The script for zsh."""
    lines = [
        "#compdef novadeck",
        '# Completion of novadeck for zsh: eval "$(novadeck completion zsh)"',
        "_novadeck() {",
        '  local joined="" known="" word',
        '  for word in "${(@)words[2,CURRENT-1]}"; do',
        '    case "${joined:+$joined }$word" in',
        f'      {_paths(table)}) joined="${{joined:+$joined }}$word" ;;',
        "    esac",
        "  done",
        '  case "$joined" in',
        *_cases(table),
        "  esac",
        '  case "${words[CURRENT-1]}" in',
        *_value_cases(table),
        "  esac",
        "  compadd -- ${=known}",
        "}",
        "compdef _novadeck novadeck",
    ]
    return "\n".join(lines) + "\n"


def fish(table: Mapping[Path, Choice]) -> str:
    """The script for fish."""
    known = " ".join(f"'{' '.join(path)}'" for path in sorted(table) if path)
    lines = [
        "# Completion of novadeck for fish: novadeck completion fish | source",
        "function __novadeck_path",
        "  set -l path",
        "  for word in (commandline -opc)[2..-1]",
        "    set -l longer (string join ' ' $path $word)",
        f"    if contains -- $longer {known}",
        "      set path $longer",
        "    end",
        "  end",
        "  echo $path",
        "end",
        "complete -c novadeck -f",
    ]
    for path, choice in sorted(table.items()):
        here = f"complete -c novadeck -n 'test (__novadeck_path) = \"{' '.join(path)}\"'"
        lines += [f"{here} -a {word} -d {_quoted(help)}" for word, help in choice.words.items()]
        lines += [f"{here}{_fish_option(option)}" for option in choice.options]
    return "\n".join(lines) + "\n"


def _fish_option(option: Option) -> str:
    flags = "".join(f" -l {f[2:]}" if f.startswith("--") else f" -s {f[1:]}" for f in option.flags)
    values = f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
    return f"{flags}{' -r' if option.value else ''}{values} -d {_quoted(option.help)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
