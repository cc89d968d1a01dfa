"""Makes the manual page imapd.conf(5) from the declarations.

``python -m libcyrus.options.manual > man/imapd.conf.5`` writes it anew; a test
fails while the page in the tree is not what this prints.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from libcyrus import options as opt
from libcyrus.options.declare import Kind, Option
from libcyrus.options.order import names
from libcyrus.options.patterned import PATTERNS
from libcyrus.options.sasl import SETTINGS

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

_HEAD = r"""
.\" Made from the declarations in libcyrus/options; change those, not this page.
.TH IMAPD.CONF 5 2026-11-22 "Cyrus IMAP" "File formats"
.SH NAME
imapd.conf \- configuration of the Cyrus IMAP server
.SH SYNOPSIS
.B /etc/imapd.conf
.SH DESCRIPTION
All programs of the suite read this file when they start; another one is named with
.BR \-C .
.PP
Each line is a name, a colon and a value.
A name is not sensitive to case and is followed by its colon at once.
White space around the value does not count.
Lines that are empty or begin with
.B #
are skipped.
A backslash at the end of a line joins the next line to it.
.PP
A name may be written once.
A second time is an error, even for a name that nothing knows.
So is an empty value, a value that does not suit its option, and a file that has no
.BR configdirectory .
With such an error no program starts; it exits with code 78 and says what is wrong.
Names that nothing knows are otherwise let pass, because they may belong to another program;
.B cyr_info conf\-lint
lists them.
.SS Names with a prefix
Before the name of an option may stand the name of a service in
.BR cyrus.conf (5),
or of a program, and an underscore:
.B pop3_timeout
holds for the service
.B pop3
only.
There it wins over the plain name, no matter which one is written first.
.SS Values
.TP
.B string
Any text.
In a value that begins with
.BR {configdirectory} ,
that word stands for the value of
.BR configdirectory .
.TP
.B integer
A decimal number; 0x begins a hexadecimal one and 0 an octal one.
.TP
.B switch
A value that begins with
.BR 1 ,
.BR y ,
.BR t " or"
.B on
is true, one that begins with
.BR 0 ,
.BR n ,
.BR f " or"
.B of
is false; lower case only.
.TP
.B enum
One of the words listed.
Where these have
.B on
and
.BR off ,
the words
.BR yes ", " true ", " t " and " 1
mean the one,
.BR no ", " false ", " f " and " 0
the other.
.TP
.B stringlist
One of the words listed.
.TP
.B bitfield
Any of the words listed, separated by white space.
.TP
.B duration
Numbers with a unit each, which are added up:
.BR d " days,"
.BR h " hours,"
.BR m " minutes,"
.BR s " seconds,"
as in
.BR 1d12h .
A last number without a unit takes that of its option.
A minus sign before it all makes the duration negative.
""".lstrip("\n")

_SASL = r"""
.SH SASL SETTINGS
These say where passwords are checked and which mechanisms are offered.
Some can be set for one plugin or mechanism only, as in
.BR sasl_ldapdb_ldapdb_uri ,
which is tried before the plain name.
What is not set here is looked up in
.IR Cyrus.conf ,
libsasl2's own file, where the names are without
.BR sasl_ .
""".lstrip("\n")

_TAIL = r"""
.SH FILES
.TP
.I /etc/imapd.conf
This file.
.TP
.I /etc/sasl2/Cyrus.conf, /usr/lib/sasl2/Cyrus.conf
More SASL settings.
.SH ENVIRONMENT
.TP
.B CYRUS_PREFIX
A directory under which configuration files are looked for first.
.TP
.B CYRUS_USER, CYRUS_GROUP
Win over
.BR cyrus_user " and " cyrus_group .
.TP
.B SASL_CONF_PATH
Directories in which
.I Cyrus.conf
is looked for, separated by colons.
.TP
.B CYRUS_SYSLOG_PREFIX
Wins over
.BR syslog_prefix .
.SH SEE ALSO
.BR cyrus.conf (5),
.BR cyr_info (8),
.BR master (8)
""".lstrip("\n")


def page() -> str:
    """The whole page, in roff with the man(7) macros."""
    parts = [_HEAD, ".SH NAMES MADE UP BY THE ADMINISTRATOR\n"]
    parts += (f".TP\n\\fB{escape(pattern.name)}\\fR\n{prose(pattern.doc)}" for pattern in PATTERNS)
    parts.append(".SH OPTIONS\nEach option is shown with its default.\n")
    parts += (entry(opt.BY_NAME[name]) for name in names())
    parts.append(_SASL)
    parts += (f".TP\n\\fB{escape(one.name)}:\\fR {_shown(one.default)}\n{prose(one.doc)}" for one in SETTINGS)
    parts.append(_TAIL)
    return "".join(parts)


def entry(option: Option[Any]) -> str:
    shown = _shown(option.default_text)
    return f".TP\n\\fB{escape(option.name)}:\\fR {shown}\n{prose(' '.join(_sentences(option)))}"


def _shown(default: str | None) -> str:
    return "(no default)" if default is None else escape(default) or "(empty)"


def prose(text: str) -> str:
    """Text for the body of the page, filled; no line of it is taken for a request."""
    lines = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
    escaped = (escape(line) for line in lines)
    return "".join(f"\\&{line}\n" if line[0] in ".'" else f"{line}\n" for line in escaped)


def escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")


def _sentences(option: Option[Any]) -> Iterator[str]:
    yield option.doc
    if option.kind is Kind.DURATION:
        yield f"A duration; a bare number counts {_UNITS[option.unit]}."
    elif option.unit:
        yield f"Counted in {option.unit}." if option.kind is Kind.INT else f"In {option.unit}."
    if option.allowed:
        few = "Any of" if option.kind is Kind.BITFIELD else "One of"
        yield f"{few} {', '.join(option.allowed)}."
    for alias, name in (option.aliases or {}).items():
        yield f"{alias} is the former name of {name}."
    if option.channel:
        yield "May be set for each replication channel."
    if option.deprecated:
        instead = f"; use {option.use}" if option.use else ""
        yield f"Deprecated since {option.deprecated}{instead}."


if __name__ == "__main__":
    print(page(), end="")
