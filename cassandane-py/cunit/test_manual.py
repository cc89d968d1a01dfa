"""Manual pages say what programs take, shells complete what pages say, and the pages are clean roff."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click
import pytest

from cassandane import reference
from libcyrus.server.program import ServiceProgram

TOP = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOP / "conf" / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


manual = load("manual")


def programs() -> dict[str, str]:
    found = {}
    for path in sorted((TOP / "bin").iterdir()):
        if path.is_file() and (match := re.search(r'^run\("([\w.]+)"\)$', path.read_text(), re.M)):
            found[path.name] = match[1]
    return found


PROGRAMS = programs()

REFUSED = {"imap.client.deliver": {"-E", "-F"}, "imap.client.imtest.main": {"-c"}}
"""Options that these programs know only to say that they do not have them; a page may say so too."""


def taken(name: str) -> dict[str, bool]:
    """Option -> whether it takes an argument; those that are hidden too."""
    module = import_module(PROGRAMS[name])
    commands = {id(value): value for value in vars(module).values() if isinstance(value, click.Command)}
    if commands:
        (command,) = commands.values()
        return dict(of_click(command))
    services = [value for value in vars(module).values() if isinstance(value, ServiceProgram)]
    if services:
        return of_letters("C:U:T:DX" + services[0].options)
    return of_letters(letters(module))


def of_click(command: click.Command) -> Iterator[tuple[str, bool]]:
    for parameter in command.get_params(click.Context(command, **command.context_settings)):
        if isinstance(parameter, click.Option):
            for flag in parameter.opts + parameter.secondary_opts:
                if flag.strip():
                    yield flag, not parameter.is_flag and not parameter.count


def letters(module: ModuleType) -> str:
    """What the module, or the one for arguments beside it, gives to getopt."""
    path = Path(str(module.__file__))
    for file in (path, path.with_name("arguments.py")):
        for call in ast.walk(ast.parse(file.read_text())) if file.exists() else ():
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "getopt":
                value = call.args[1]
                if isinstance(value, ast.Constant):
                    return str(value.value)
                assert isinstance(value, ast.Name)
                owner = module if file == path else import_module(f"{module.__package__}.arguments")
                return str(getattr(owner, value.id))
    return ""


def of_letters(letters: str) -> dict[str, bool]:
    return {f"-{found[0][0]}": found[0].endswith(":") for found in re.finditer(r"[^:]:?", letters)}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_page_has_the_options_of_the_program(name: str) -> None:
    page = manual.pages(PROGRAMS)[name]
    described = {flag: bool(option.argument) for option in page.options for flag in option.flags}
    accepted = taken(name)
    for flag in (REFUSED.get(PROGRAMS[name], set()) | hidden(name)) - described.keys():
        del accepted[flag]
    assert described == accepted


def hidden(name: str) -> set[str]:
    """Options that are for tests, or do nothing any more; a page may have them."""
    values = vars(import_module(PROGRAMS[name])).values()
    options = [one for value in values if isinstance(value, click.Command) for one in value.params]
    return {flag for one in options if isinstance(one, click.Option) and one.hidden for flag in one.opts}


def test_text_of_a_page_becomes_plain() -> None:
    page = manual.pages(PROGRAMS)
    imapd = {option.flags: option for option in page["imapd"].options}
    assert imapd["-C",] == manual.Option(("-C",), "FILE", "Read FILE instead of /etc/imapd.conf")
    assert imapd["-s",].argument == ""
    assert "conf-lint" in page["cyr_info"].words
    assert page["cyradm"].words == ()  # its commands are typed inside
    assert page["sivtest"] == page["imtest"]


def complete(*words: str) -> set[str]:
    """What bash offers for the last word."""
    script = (
        'source /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }\n'
        '_cyrus_py "$1" "${@: -1}" "${@: -2:1}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-euc", script, "bash", *words],
        input=manual.bash(PROGRAMS), capture_output=True, text=True, cwd=TOP,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("cyradm", "--ser"), {"--server"}),
        (("/usr/lib/cyrus/bin/quota", "-"), {"-C", "-d", "-f", "-n", "-q", "-J", "-u"}),
        (("cyr_info", "conf-l"), {"conf-lint"}),
        (("cyr_info", "-C", "setup."), {"setup.cfg", "setup.py"}),
        (("lmtptest", "-t", "README"), {"README.md"}),
        (("cyrus", "cyr_inf"), {"cyr_info"}),
        (("cyrus", "exp"), {"expire"}),
        (("cyrus", "info", "conf-d"), {"conf-default"}),
        (("cyrus", "cyr_info", "-"), {"-C", "-M", "-n", "-s"}),
        (("cyrus", "mboxlist", "-y"), {"-y"}),
        (("cyrus", "deliver", "-"), {"-C", "-a", "-d", "-D", "-e", "-f", "-l", "-m", "-q", "-r"}),
        (("quota", "none-of-these"), set()),
    ],
)
def test_bash_completes(words: tuple[str, ...], expected: set[str]) -> None:
    assert complete(*words) == expected


@pytest.mark.reference
def test_zsh_understands_what_is_made_for_it() -> None:
    text = manual.zsh(PROGRAMS)
    zsh = [reference.program("zsh"), "-n", "/dev/stdin"]
    done = subprocess.run(zsh, input=text, capture_output=True, text=True, env=reference.environment())
    assert (done.returncode, done.stderr) == (0, "")
    assert "#compdef arbitron " in text
    assert "'*-J[Report in JSON, in bytes]'" in text
    assert " mboxlist " in text and "ctl_mboxlist|mboxlist" in text


@pytest.mark.reference
@pytest.mark.parametrize("prefix", ["", "cyrus-"])
def test_installed_pages_are_clean(prefix: str, tmp_path: Path) -> None:
    """Neither mandoc nor groff finds anything to warn of."""
    renamed = {name: prefix + name for name in PROGRAMS if prefix}
    pages = []
    for page in sorted((TOP / "man").glob("*.[158]")):
        pages.append(tmp_path / page.name)
        pages[-1].write_text(manual.installed(page, "0.0.1", renamed))
    assert '"cyrus-py 0.0.1"' in pages[0].read_text()
    lint: list[str | Path] = [reference.program("mandoc"), "-T", "lint", "-W", "warning", *pages]
    done = subprocess.run(lint, capture_output=True, text=True, env=reference.environment())
    assert (done.returncode, done.stdout) == (0, "")
    for page in pages:
        assert groff(page) == ""
    broken = tmp_path / "broken.8"
    broken.write_text(pages[0].read_text().replace(".SH NAME", ".SH NAME\n.nosuchmacro\n\\*[nosuchstring]"))
    assert "nosuchmacro" in groff(broken)


def groff(page: Path) -> str:
    """What groff warns of, with the warnings that ``man --warnings`` asks for."""
    share = next((reference.directory() / "usr/share/groff").glob("[0-9]*"))
    environment = {
        **reference.environment(),
        "GROFF_BIN_PATH": str(reference.directory() / "usr/bin"),
        "GROFF_FONT_PATH": str(share / "font"),
        "GROFF_TMAC_PATH": f"{share}/tmac:{reference.directory()}/etc/groff",
    }
    command: list[str | Path] = [reference.program("groff"), "-ww", "-z", "-man", "-Tutf8", page]
    return subprocess.run(command, capture_output=True, text=True, env=environment).stderr


def test_references_follow_renamed_pages(tmp_path: Path) -> None:
    renamed = {name: f"cyrus-{name}" for name in ("quota", "reconstruct")}
    text = manual.installed(TOP / "man/quota.8", "1", renamed)
    assert text.startswith(".TH CYRUS-QUOTA 8 ")
    assert ".BR cyrus-reconstruct (8)" in text
    assert ".BR imapd.conf (5)" in text
    with pytest.raises(SystemExit):
        (tmp_path / "x.8").write_text(".TH X 8\n")
        manual.installed(tmp_path / "x.8", "1", {})
