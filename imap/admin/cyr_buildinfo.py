"""cyr_buildinfo(8): say which features and libraries this suite has.

The keys are the original's, so that scripts which look for a feature find the
answer where they expect it. A library counts when the suite uses it, or
Python's own module of the same purpose.
"""

from __future__ import annotations

import json
import sys

import click

from libcyrus import tool

BUILD: dict[str, dict[str, bool | str]] = {
    "component": {
        "event_notification": True,
        "gssapi": False,
        "autocreate": False,
        "idled": True,
        "httpd": False,
        "kerberos_v4": False,
        "murder": False,
        "nntpd": False,
        "replication": False,
        "sieve": True,
        "calalarmd": False,
        "jmap": False,
        "objectstore": False,
        "backup": False,
    },
    "dependency": {
        "ldap": False,
        "openssl": True,
        "zlib": True,
        "jansson": True,
        "pcre": False,
        "clamav": False,
        "openio": False,
        "nghttp2": False,
        "wslay": False,
        "brotli": False,
        "xml2": False,
        "ical": False,
        "icu4c": False,
        "shapelib": False,
        "chardet": False,
        "cld2": False,
    },
    "database": {"mysql": False, "pgsql": False, "sqlite": True},
    "search": {"squat": False, "xapian": False, "xapian_cjk_tokens": "none"},
    "hardware": {},
}


@click.command("cyr_buildinfo")
@tool.config_option
@click.argument("words", metavar="[FORMAT]", nargs=-1)
def cyr_buildinfo(config_file: str | None, words: tuple[str, ...]) -> None:
    """Say which features and libraries this suite has.

    FORMAT is pretty (the default), dense or flat. The configuration is not
    read; -C is taken because every program takes it.
    """
    match words[0] if words else "pretty":
        case "pretty":
            print(json.dumps(BUILD, indent=2))
        case "dense":
            print(json.dumps(BUILD))
        case "flat":
            flat()
        case _:
            raise tool.usage_error()


main = tool.main(cyr_buildinfo, usage_code=255)


def flat() -> None:
    for section, entries in BUILD.items():
        for key, value in entries.items():
            sys.stdout.write(f"{section}.{key}={json.dumps(value)}\n")
