"""The commands of the shell: their names, arguments and help, and what they print."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from imap.client.cyradm.admin import Admin, AdminError, Credentials, Listed
from libcyrus.base.dataclasses import dataclass, field, replace

MOTD_AND_SO_ON = {
    "comment": "/comment",
    "motd": "/motd",
    "admin": "/admin",
    "shutdown": "/vendor/cmu/cyrus-imapd/shutdown",
    "expire": "/vendor/cmu/cyrus-imapd/expire",
    "squat": "/vendor/cmu/cyrus-imapd/squat",
}
_OF_MAILBOX = {
    name: f"/vendor/cmu/cyrus-imapd/{name}"
    for name in ("expire", "news2mail", "pop3showafter", "sharedseen", "sieve", "squat")
} | {"comment": "/comment"}
_PRIVATE = frozenset({"comment", "specialuse"})
_HIDDEN = frozenset({"\\noselect", "\\nonexistent", "\\placeholder"})
# these print what the server said as it is
_PLAIN_ERRORS = frozenset({"listmailbox", "listacl", "subscribe", "unsubscribe", "info", "getmetadata"})
_WIDTH = 79


class UsageError(Exception):
    """The text is printed behind ``usage:``."""


class Refusal(Exception):
    """The command failed; the text is printed as it is."""


class Exit(Exception):
    """Ends the shell with the code in its argument."""


@dataclass(slots=True)
class Shell:
    """What commands work on. ``connect`` makes a connection to a server, logged in if asked to."""

    connect: Callable[[str, bool], Admin]
    credentials: Callable[[], Credentials]
    out: IO[str]
    err: IO[str]
    admin: Admin | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    run: Callable[[Shell, list[str]], int]
    arguments: str
    summary: str
    flags: tuple[str, ...] = ()
    valued: tuple[str, ...] = ()
    aliases: tuple[str, ...] = field(default=())


@dataclass(slots=True)
class Parsed:
    words: list[str]
    flags: set[str]
    values: dict[str, str]


def parse(name: str, command: Command, words: Sequence[str]) -> Parsed:
    """Options stand first: ``--name``, or ``-name`` shortened as one likes. Raises UsageError."""
    found = Parsed([], set(), {})
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        option = _option(word, (*command.flags, *command.valued)) if word.startswith("-") else None
        if option is None:
            if word.startswith("-"):
                raise UsageError(f"{name} {command.arguments}".rstrip())
            found.words.append(word)
            break
        if option in command.flags:
            found.flags.add(option)
            continue
        value = next(rest, None)
        if value is None:
            raise UsageError(f"{name} {command.arguments}".rstrip())
        found.values[option] = value
    found.words += rest
    return found


def _option(word: str, known: Iterable[str]) -> str | None:
    if word.startswith("--"):
        return word[2:] if word[2:] in known else None
    fitting = [name for name in known if len(word) > 1 and name.startswith(word[1:])]
    return fitting[0] if fitting else None


_COMMANDS: dict[str, Command] = {}


def _command(
    name: str,
    arguments: str,
    summary: str,
    *,
    aliases: str = "",
    flags: tuple[str, ...] = (),
    valued: tuple[str, ...] = (),
    fewest: int = 0,
    most: int | None = None,
) -> Callable[[Callable[[Shell, Parsed], int | None]], Callable[[Shell, Parsed], int | None]]:
    """Enter a function into the table; how many words it takes is checked here."""

    def enter(work: Callable[[Shell, Parsed], int | None]) -> Callable[[Shell, Parsed], int | None]:
        def run(shell: Shell, words: list[str]) -> int:
            command = _COMMANDS[name]
            parsed = parse(name, command, words)
            if len(parsed.words) < fewest or (most is not None and len(parsed.words) > most):
                raise UsageError(f"{name} {arguments}".rstrip())
            return work(shell, parsed) or 0

        _COMMANDS[name] = Command(run, arguments, summary, flags, valued, tuple(aliases.split()))
        return work

    return enter


def names() -> dict[str, str]:
    """Every name and alias, with the command's name."""
    found = {name: name for name in _COMMANDS}
    for name, command in _COMMANDS.items():
        found |= dict.fromkeys(command.aliases, name)
    return found


def run(shell: Shell, name: str, words: Sequence[str]) -> int | None:
    """Run one of our commands; None if there is none of that name. Raises what commands raise."""
    known = names().get(name)
    if known is None:
        return None
    try:
        return _COMMANDS[known].run(shell, list(words))
    except AdminError as error:
        raise Refusal(str(error) if known in _PLAIN_ERRORS else f"{known}: {error}") from error


def _connected(shell: Shell, name: str) -> Admin:
    if shell.admin is None:
        raise Refusal(f"{name}: no connection to server")
    return shell.admin


def _each(admin: Admin, pattern: str) -> Iterator[str]:
    """The mailboxes that a pattern names; a name without wildcards names itself."""
    for listed in admin.mailboxes(pattern):
        if not _HIDDEN & set(listed.attributes.lower().split()):
            yield listed.name


def _is_pattern(name: str) -> bool:
    return "*" in name or "%" in name


def _over(shell: Shell, pattern: str, doing: str, work: Callable[[Admin, str], None], name: str) -> None:
    """Do something to one mailbox, or to all that a pattern names, telling how each went."""
    admin = _connected(shell, name)
    if not _is_pattern(pattern):
        work(admin, pattern)
        return
    for mailbox in _each(admin, pattern):
        shell.out.write(f"{doing} {mailbox}...")
        try:
            work(admin, mailbox)
        except AdminError as error:
            shell.out.write(f"{error}\n")
            return
        shell.out.write("OK.\n")


@_command("exit", "[number]", "exit cyradm", aliases="quit", most=1)
def _exit(shell: Shell, said: Parsed) -> int:
    number = said.words[0] if said.words else str(shell.status)
    raise Exit(int(number) & 0xFF if number.isdecimal() else 0)


@_command("help", "[command]", "show commands", aliases="?")
def _help(shell: Shell, said: Parsed) -> int:
    if not said.words:
        lines = {name: ", ".join([name, *command.aliases]) for name, command in _COMMANDS.items()}
        width = max(map(len, lines.values()))
        for name in sorted(_COMMANDS):
            shell.out.write(f"{lines[name]:{width}}  {_COMMANDS[name].summary}\n")
        return 0
    status = 0
    for word in sorted(said.words):
        known = names().get(word)
        if known is None:
            shell.out.write(f"unknown command: {word}\n")
            status = 1
            continue
        alias = f"{word}, alias for " if word != known else ""
        command = _COMMANDS[known]
        shell.out.write(f"{alias}{known} {command.arguments}\n\t{command.summary}\n")
    return status


@_command("server", "[-noauthenticate] [server]", "show current server or connect to server",
          aliases="servername connect", flags=("noauthenticate",), most=1)  # fmt: skip
def _server(shell: Shell, said: Parsed) -> None:
    if not said.words:
        shell.out.write(f"{_connected(shell, 'server').servername}\n")
        return
    _disconnect(shell)
    shell.admin = shell.connect(said.words[0], "noauthenticate" not in said.flags)


@_command(
    "authenticate",
    "[-minssf N] [-maxssf N] [-mechanisms list] [-tlskey keyfile] [-notls] "
    "[-cafile cacertfile] [-capath cacertdir] [user]",
    "authenticate to server",
    aliases="auth login",
    flags=("notls",),
    valued=("mechanisms", "minssf", "maxssf", "tlskey", "cafile", "cadir", "capath"),
    most=1,
)
def _authenticate(shell: Shell, said: Parsed) -> None:
    admin = _connected(shell, "authenticate")
    base = shell.credentials()
    values = said.values
    admin.authenticate(
        replace(
            base,
            user=said.words[0] if said.words else base.user,
            mechanism=values.get("mechanisms", base.mechanism),
            tls_key=values.get("tlskey", base.tls_key),
            tls=base.tls and "notls" not in said.flags,
            ca_file=values.get("cafile", base.ca_file),
            ca_dir=values.get("capath", values.get("cadir", base.ca_dir)),
            minimum=_bits(values.get("minssf"), base.minimum),
            maximum=_bits(values.get("maxssf"), base.maximum),
        )
    )


def _bits(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdecimal() else otherwise


@_command("disconnect", "", "disconnect from current server", aliases="disc", most=0)
def _disconnect_command(shell: Shell, said: Parsed) -> None:
    _connected(shell, "disconnect")
    _disconnect(shell)


def _disconnect(shell: Shell) -> None:
    if shell.admin is not None:
        shell.admin.close()
        shell.admin = None


@_command("chdir", "directory", "change current directory", aliases="cd", fewest=1, most=1)
def _chdir(shell: Shell, said: Parsed) -> None:
    try:
        os.chdir(said.words[0])
    except OSError as error:
        raise Refusal(f"chdir: {said.words[0]}: {error.strerror}") from error


@_command("listmailbox", "[-subscribed] [-specialuse] [pattern [base]]", "list mailboxes",
          aliases="lm list", flags=("subscribed", "specialuse", "recursivematch"), most=2)  # fmt: skip
def _list(shell: Shell, said: Parsed) -> int:
    admin = _connected(shell, "listmailbox")
    pattern, reference = (*said.words, *("*", "")[len(said.words) :])[:2]
    names = {"specialuse": "SPECIAL-USE", "recursivematch": "RECURSIVEMATCH"}
    selection = [names[flag] for flag in names if flag in said.flags]
    if "subscribed" in said.flags and not selection:
        found = admin.subscribed(pattern, reference)
    else:
        if "subscribed" in said.flags:
            selection.append("SUBSCRIBED")
        found = admin.mailboxes(pattern, reference, selection=selection)
    if not found:
        return 1
    _columns(shell.out, sorted(map(_shown, found)))
    return 0


def _shown(listed: Listed) -> str:
    shown = listed.name
    if listed.attributes:
        shown += f" ({listed.attributes})"
    return shown if listed.extended is None else f"{shown} ({listed.extended})"


def _columns(out: IO[str], entries: Sequence[str]) -> None:
    """Column by column, as many columns as the terminal is wide."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else _WIDTH
    widest = min(max(len(entry) + 1 for entry in entries), width)
    across = max(1, width // widest)
    down = -(-len(entries) // across)
    for row in range(down):
        for entry in entries[row::down]:
            out.write(entry + " " * (widest + 1 - len(entry)))
        out.write("\n")


@_command("createmailbox", "[--partition partition] [--specialuse specialuse] mailbox [partition]",
          "create mailbox", aliases="create cm", valued=("partition", "specialuse"),
          fewest=1, most=2)  # fmt: skip
def _create(shell: Shell, said: Parsed) -> None:
    partition = said.values.get("partition", said.words[1] if len(said.words) > 1 else None)
    _connected(shell, "createmailbox").create(said.words[0], partition, said.values.get("specialuse"))


@_command("deletemailbox", "mailbox", "delete mailbox", aliases="delete dm", fewest=1, most=1)
def _delete(shell: Shell, said: Parsed) -> None:
    _over(shell, said.words[0], "Deleting mailbox", Admin.delete, "deletemailbox")


@_command("renamemailbox", "[--partition partition] oldname newname [partition]",
          "rename (and optionally relocate) mailbox", aliases="rename renm", valued=("partition",),
          fewest=2, most=3)  # fmt: skip
def _rename(shell: Shell, said: Parsed) -> None:
    old, new, *rest = said.words
    partition = said.values.get("partition", rest[0] if rest else None)
    _connected(shell, "renamemailbox").rename(old, new, partition)


@_command("xfermailbox", "[--partition partition] mailbox server [partition]",
          "transfer (relocate) a mailbox to a different server", aliases="xfer", valued=("partition",),
          fewest=2, most=3)  # fmt: skip
def _transfer(shell: Shell, said: Parsed) -> None:
    mailbox, server, *rest = said.words
    partition = said.values.get("partition", rest[0] if rest else None)
    _connected(shell, "xfermailbox").transfer(mailbox, server, partition)


@_command("reconstruct", "[-r] mailbox", "reconstruct mailbox (if supported)", flags=("r",),
          fewest=1, most=1)  # fmt: skip
def _reconstruct(shell: Shell, said: Parsed) -> None:
    _connected(shell, "reconstruct").reconstruct(said.words[0], recursive="r" in said.flags)


@_command("subscribe", "[mailbox]", "subscribe to a mailbox", aliases="sub", fewest=1)
def _subscribe(shell: Shell, said: Parsed) -> None:
    _connected(shell, "subscribe").subscribe(said.words[0])


@_command("unsubscribe", "[mailbox]", "unsubscribe from a mailbox", aliases="unsub", fewest=1)
def _unsubscribe(shell: Shell, said: Parsed) -> None:
    _connected(shell, "unsubscribe").unsubscribe(said.words[0])


@_command("listacl", "mailbox", "list ACLs on mailbox", aliases="lam listaclmailbox", fewest=1, most=1)
def _list_rights(shell: Shell, said: Parsed) -> None:
    admin = _connected(shell, "listaclmailbox")
    if not _is_pattern(said.words[0]):
        _print_rights(shell.out, admin.rights(said.words[0]))
        return
    for mailbox in _each(admin, said.words[0]):
        shell.out.write(f"{mailbox}:\n")
        try:
            _print_rights(shell.out, admin.rights(mailbox), "  ")
        except AdminError as error:
            shell.err.write(f"{error}\n")


def _print_rights(out: IO[str], rights: dict[str, str], indent: str = "") -> None:
    for identifier, letters in rights.items():
        out.write(f"{indent}{identifier} {letters}\n")


@_command("setaclmailbox", "mailbox id rights [id rights ...]", "set ACLs on mailbox",
          aliases="setacl sam", fewest=3)  # fmt: skip
def _set_rights(shell: Shell, said: Parsed) -> None:
    pattern, *rest = said.words
    if len(rest) % 2:
        raise UsageError(f"setaclmailbox {_COMMANDS['setaclmailbox'].arguments}")
    pairs = list(zip(rest[::2], rest[1::2], strict=True))

    def work(admin: Admin, mailbox: str) -> None:
        failures = []
        for identifier, letters in pairs:
            try:
                admin.set_rights(mailbox, identifier, letters)
            except AdminError as error:
                failures.append(f"{identifier}: {letters}: {error}")
        if failures:
            raise AdminError("\n".join(failures))

    _over(shell, pattern, "Setting ACL on", work, "setaclmailbox")


@_command("deleteaclmailbox", "mailbox id [id ...]", "remove ACLs from mailbox",
          aliases="deleteacl dam", fewest=2)  # fmt: skip
def _delete_rights(shell: Shell, said: Parsed) -> None:
    pattern, *identifiers = said.words

    def work(admin: Admin, mailbox: str) -> None:
        failures = []
        # a star stands for everybody who has rights there
        for identifier in admin.rights(mailbox) if identifiers == ["*"] else identifiers:
            try:
                admin.delete_rights(mailbox, identifier)
            except AdminError as error:
                failures.append(f"{identifier}: {error}")
        if failures:
            raise AdminError("\n".join(failures))

    _over(shell, pattern, "Deleting acl on", work, "deleteaclmailbox")


@_command("listquota", "root", "list quotas on specified root", aliases="lq", fewest=1, most=1)
def _list_quota(shell: Shell, said: Parsed) -> None:
    shell.out.write(_quotas(_connected(shell, "listquota").quota(said.words[0])) + "\n")


@_command("listquotaroot", "mailbox", "show quota roots and quotas for mailbox", aliases="lqr lqm",
          fewest=1, most=1)  # fmt: skip
def _list_quota_root(shell: Shell, said: Parsed) -> None:
    root, quotas = _connected(shell, "listquotaroot").quota_root(said.words[0])
    shell.out.write(f"{root}{_quotas(quotas)}\n")


def _quotas(quotas: dict[str, tuple[int, int]]) -> str:
    shown = ""
    for resource, (use, limit) in quotas.items():
        shown += f" {resource} {use}/{limit}"
        if limit:
            shown += f" ({use * 100 / limit:.15g}%)"
    return shown


@_command("setquota", "mailbox resource value [resource value ...]", "set quota on mailbox or resource",
          aliases="sq", fewest=1)  # fmt: skip
def _set_quota(shell: Shell, said: Parsed) -> None:
    root, *limits = said.words
    if len(limits) == 1:
        if limits[0] == "none":
            limits = []
            shell.out.write("remove quota\n")
        else:
            shell.out.write(f"quota:{limits[0]}\n")
            limits = ["STORAGE", *limits]
    if len(limits) % 2:
        raise UsageError("setquota mailbox limit num [limit num ...]\n       setquota mailbox num")
    pairs = dict(zip(limits[::2], limits[1::2], strict=True))
    _connected(shell, "setquota").set_quota(root, pairs)


@_command("info", "[mailbox]", "display mailbox/server annotations")
def _info(shell: Shell, said: Parsed) -> None:
    mailbox, *entries = said.words or [""]
    wanted = [f"/{scope}{entry}" for entry in entries for scope in ("private", "shared")]
    _print_metadata(shell, _connected(shell, "info").metadata(mailbox, wanted))


@_command("getmetadata", "[mailbox]", "display mailbox/server metadata", aliases="getmd")
def _get_metadata(shell: Shell, said: Parsed) -> None:
    mailbox, *entries = said.words or [""]
    wanted = [_entry(entry) for entry in entries]
    _print_metadata(shell, _connected(shell, "getmetadata").metadata(mailbox, wanted))


def _print_metadata(shell: Shell, found: dict[str, dict[str, str]]) -> None:
    for mailbox, entries in sorted(found.items()):
        shell.out.write("{Server Wide}\n" if not mailbox else f"{{{mailbox}}}:\n")
        for scope in ("private", "shared"):
            own = {entry: value for entry, value in entries.items() if entry.startswith(f"/{scope}")}
            if own:
                shell.out.write(f"  {scope}:\n")
            for entry in sorted(own):
                shell.out.write(f"    {entry.rpartition('/')[2]}: {own[entry]}\n")


def _entry(name: str) -> str:
    """An entry by its short name, in the scope where it has a meaning."""
    if name == "specialuse":
        return "/private/specialuse"
    if name in _OF_MAILBOX:
        return ("/private" if name in _PRIVATE else "/shared") + _OF_MAILBOX[name]
    return name


@_command("mboxconfig", "[--private] mailbox [comment|expire|news2mail|pop3showafter|sharedseen|sieve|squat|"
          "/<explicit annotation>] value", "configure mailbox", aliases="mboxcfg", flags=("private",),
          fewest=2, most=3)  # fmt: skip
def _configure(shell: Shell, said: Parsed) -> None:
    mailbox, name, value = (*said.words, "")[:3]
    entry = _OF_MAILBOX.get(name, name)
    if not entry.startswith("/"):
        raise Refusal(f"mboxconfig: Unknown parameter {name}")
    scope = "/private" if "private" in said.flags else "/shared"
    _connected(shell, "mboxconfig").set_metadata(mailbox, scope + entry, _value(value))


@_command("setmetadata", "[--private] mailbox [comment|expire|news2mail|pop3showafter|sharedseen|sieve|"
          "specialuse|squat|/<explicit annotation>] value", "set metadata to mailbox", aliases="setmd",
          flags=("private",), fewest=2, most=3)  # fmt: skip
def _set_metadata(shell: Shell, said: Parsed) -> None:
    mailbox, name, value = (*said.words, "")[:3]
    entry = _entry(name)
    if not entry.startswith("/"):
        raise Refusal(f"setmetadata: Unknown parameter {name}")
    if "private" in said.flags and entry.lower().startswith("/shared/"):
        entry = "/private/" + entry[len("/shared/") :]
    _connected(shell, "setmetadata").set_metadata(mailbox, entry, _value(value))


@_command("setinfo", "[motd|comment|admin|shutdown|expire|squat] text", "set server metadata", fewest=2)
def _set_info(shell: Shell, said: Parsed) -> None:
    name, value = said.words[0], " ".join(said.words[1:])
    entry = MOTD_AND_SO_ON.get(name, name)
    if not entry.startswith("/"):
        raise Refusal(f"setinfo: Unknown parameter {name}")
    _connected(shell, "setinfo").set_metadata("", "/shared" + entry, _value(value))


def _value(written: str) -> str | None:
    return None if written == "none" else written


@_command("version", "", "display version info of current server", aliases="ver", most=0)
def _version(shell: Shell, said: Parsed) -> None:
    found = _connected(shell, "version").identity()
    if found is None:
        shell.out.write("no version info returned by server\n")
        return
    for name, value in found.items():
        shown = value or ""
        if name == "environment":
            shown = shown.replace(";", "\n            ")
        shell.out.write(f"{name:11}: {shown}\n")
