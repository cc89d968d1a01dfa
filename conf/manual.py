"""The manual pages of man/: what is installed of them, and completion for shells.

The pages are the one place where options are described. Completion is made from
their sections OPTIONS and COMMANDS (or ACTIONS, FORMATS), where each ``.TP`` is
followed by a line of tags and by text that begins with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parent.parent

_OPTION = re.compile(r"(--[a-z]+|-\S)")
_WORD = re.compile(r"[a-z][\w.-]*")
_WORDS = {"COMMANDS": "COMMAND", "ACTIONS": "ACTION", "FORMATS": "FORMAT"}
"""Sections that list what an operand may be, if the synopsis has such an operand."""
_FILES = frozenset("FILE DATABASE SOCKET KEYFILE PIDFILE DIR DIRECTORY".split())
"""Arguments that are files."""


class Option(NamedTuple):
    flags: tuple[str, ...]
    argument: str
    """What it is called in the page; empty if the option takes none."""
    text: str
    """The first sentence of its description."""


class Page(NamedTuple):
    options: tuple[Option, ...]
    words: tuple[str, ...]
    """What an operand may be, if the page lists that."""


# what is installed


def installed(page: Path, version: str, renamed: Mapping[str, str]) -> str:
    """The text of a page with the version in its footer, under its new name if it gets one.

    ``renamed`` has old names and new ones, for references from page to page.
    """
    text = page.read_text()
    title, section = page.stem, page.suffix[1:]
    heading = re.compile(rf'\.TH (\S+) {section} (\S+) "Cyrus IMAP" ')
    if not (found := heading.search(text)):
        raise SystemExit(f"{page}: its .TH is not like that of the other pages")
    title = renamed[title].upper() if title in renamed else found[1]
    text = heading.sub(f'.TH {title} {section} {found[2]} "cyrus-py {version}" ', text, count=1)
    return re.sub(
        r"^(\.BR )([\w.]+)(?= \([158]\))",
        lambda reference: reference[1] + renamed.get(reference[2], reference[2]),
        text,
        flags=re.MULTILINE,
    )


# what pages say


def read(page: Path) -> Page:
    sections = dict(re.findall(r'^\.SH "?([A-Z ]+)"?\n(.*?)(?=^\.SH |\Z)', page.read_text(), re.M | re.S))
    options = [_option(tag, text) for tag, text in _items(sections.get("OPTIONS", ""))]
    synopsis = set(re.findall(r"\w+", sections["SYNOPSIS"]))
    lists = [sections.get(name, "") for name, operand in _WORDS.items() if operand in synopsis]
    words = [found[0] for text in lists for tag, _ in _items(text) if (found := _WORD.match(tag))]
    return Page(tuple(option for option in options if option), tuple(words))


def _items(section: str) -> Iterable[tuple[str, str]]:
    for item in re.split(r"^\.TP.*\n", section, flags=re.M)[1:]:
        tag, _, text = item.partition("\n")
        yield plain(tag), plain(text)


def _option(tag: str, text: str) -> Option | None:
    flags: list[str] = []
    argument = ""
    for word in tag.replace(",", " ").split():
        if _OPTION.fullmatch(word):
            flags.append(word)
        elif word.isupper() or "=" in word:
            argument = word
    sentence = re.match(r".*?(?:[.:;](?=\s|$)|$)", text)
    assert sentence
    return Option(tuple(flags), argument, sentence[0].rstrip(".:;")) if flags else None


def plain(roff: str) -> str:
    """Text without its roff: macros that change fonts, escapes, quotes of arguments; on one line."""
    lines = []
    for line in roff.split("\n"):
        if macro := re.match(r"\.(BI|BR|IB|IR|RB|RI|B|I) +(.*)", line):
            words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', macro[2])]
            line = ("" if len(macro[1]) == 2 else " ").join(words)
        elif line.startswith("."):
            continue
        lines.append(line)
    text = re.sub(r"\\f.", "", " ".join(lines))
    return text.replace(r"\-", "-").replace(r"\&", "").replace(r"\e", "\\").strip()


def pages(programs: Mapping[str, str]) -> dict[str, Page]:
    """What each program takes. ``programs`` has names and modules; those of one module take the same."""
    found = {page.stem: read(page) for page in sorted((TOP / "man").glob("*.[18]")) if page.stem in programs}
    for name, page in found.items():
        if not page.options:
            same = (found[other] for other in programs if programs[other] == programs[name])
            found[name] = next((other for other in same if other.options), page)
    return found


# completion

_BASH = """\
# Completion of the options of cyrus-py's programs, made from their manual pages.

_cyrus_py() {{
    local program=${{1##*/}} word=$2 before=$3 options= files= words=
    COMPREPLY=()
    if [[ $program == cyrus ]]; then
        if ((COMP_CWORD == 1)); then
            mapfile -t COMPREPLY < <(compgen -W {commands} -- "$word")
            return
        fi
        program=${{COMP_WORDS[1]}}
    fi
    case $program in
{cases}
    esac
    if [[ " $files " == *" $before "* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    fi
}}

complete -o bashdefault -o default -F _cyrus_py {names}
"""


def bash(programs: Mapping[str, str]) -> str:
    cases = []
    for page, names in _by_page(programs):
        flags = [(flag, option.argument) for option in page.options for flag in option.flags]
        options = " ".join(flag for flag, _ in flags)
        files = " ".join(flag for flag, argument in flags if argument in _FILES)
        cases.append(f"    {' | '.join(names)})")
        cases += [
            f"        {variable}={_quoted(value)}"
            for variable, value in (("options", options), ("files", files), ("words", " ".join(page.words)))
            if value
        ]
        cases.append("        ;;")
    commands = _quoted(" ".join(_commands(programs)))
    return _BASH.format(cases="\n".join(cases), commands=commands, names=" ".join(programs))


_ZSH = """\
#compdef {names}
# Completion of the options of cyrus-py's programs, made from their manual pages.

local program=${{service:t}}
if [[ $program == cyrus ]]; then
    if ((CURRENT == 2)); then
        compadd -- {commands}
        return
    fi
    shift words
    ((CURRENT--))
    program=$words[1]
fi
case $program in
{cases}
esac
"""


def zsh(programs: Mapping[str, str]) -> str:
    cases = []
    for page, names in _by_page(programs):
        specs = [_zsh_option(flag, option) for option in page.options for flag in option.flags]
        specs.append(_quoted(f"*::operand:({' '.join(page.words)})" if page.words else "*:operand:_default"))
        cases.append(f"    {'|'.join(names)}) _arguments \\")
        cases.append(" \\\n".join(f"        {spec}" for spec in specs))
        cases.append("        ;;")
    commands = " ".join(_commands(programs))
    return _ZSH.format(cases="\n".join(cases), commands=commands, names=" ".join(programs))


def _zsh_option(flag: str, option: Option) -> str:
    text, argument = (re.sub(r"([\[\]:\\])", r"\\\1", text) for text in (option.text, option.argument))
    if option.argument:
        argument = f":{argument}:" + ("_files" if option.argument in _FILES else " ")
    return _quoted(f"*{flag}[{text}]{argument}")


def _by_page(programs: Mapping[str, str]) -> Iterable[tuple[Page, list[str]]]:
    """Pages, each with the names of the programs that take the same, and short forms of these."""
    names: dict[Page, list[str]] = {}
    short = _short(programs)
    for name, page in pages(programs).items():
        names.setdefault(page, []).extend([name, short[name]] if name in short else [name])
    return names.items()


def _commands(programs: Mapping[str, str]) -> list[str]:
    """What cyrus(8) takes."""
    return sorted([*programs.keys() - {"cyrus"}, *_short(programs).values()])


def _short(programs: Mapping[str, str]) -> dict[str, str]:
    """Names without cyr_ and ctl_; where that is another program's name it is that program."""
    return {name: name[4:] for name in programs if name[:4] in ("cyr_", "ctl_") and name[4:] not in programs}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
