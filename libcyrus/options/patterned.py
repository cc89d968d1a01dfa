"""Settings whose names are made up by the administrator, so that no ``Option`` can declare them.

They are read as text, ``config.overflow(name)``; the manual lists them.
``known`` tells which ones ``cyr_info conf-lint`` lets pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Pattern(NamedTuple):
    name: str
    doc: str


PATTERNS = (
    Pattern("@include", "A directive: read the file it names. Naming a file twice is an error."),
    Pattern(
        "SERVICE_OPTION",
        "An option for one service or program only: SERVICE is its name in cyrus.conf, or the "
        "program's own name. It wins over the plain OPTION, wherever either stands.",
    ),
    Pattern(
        "CHANNEL_OPTION",
        "A sync_ option for one replication channel; only those marked so below can be written this way.",
    ),
    Pattern(
        "partition-NAME",
        "The directory of a partition's messages. NAME is of lower case letters and digits.",
    ),
    Pattern("metapartition-NAME", "The directory of that partition's metapartition_files."),
    Pattern(
        "metadir-FILE-NAME",
        "The directory of one kind of metadata of a partition: header, index (annotations too), "
        "cache, squat, dav or archivecache. Wins over metapartition-NAME.",
    ),
    Pattern("archivepartition-NAME", "The directory of that partition's archived messages."),
    Pattern("TIERsearchpartition-NAME", "The directory of one tier of that partition's search index."),
    Pattern("backuppartition-NAME", "A directory of backups."),
    Pattern("sasl_NAME", "A setting for SASL, see below."),
    Pattern("sasl_PLUGIN_NAME", "The same for one plugin only; it is tried first."),
    Pattern(
        "HOST_password",
        "The password for one backend, named without its domain; proxy_password otherwise.",
    ),
    Pattern("HOST_mechs", "The SASL mechanisms for one backend; force_sasl_client_mech otherwise."),
    Pattern("HOST_client_cert", "The client certificate for one backend; tls_client_cert otherwise."),
    Pattern("HOST_client_key", "The key of HOST_client_cert; tls_client_key otherwise."),
    Pattern(
        "tls_server_cert_dir",
        "A directory of further certificates: each file NAME.pem holds one with its chain, and its key, "
        "unless that is in NAME.key. A client that asks for a server by a name in one of them (SNI) gets "
        "that one, any other tls_server_cert. A star stands for the first label of a name.",
    ),
    Pattern(
        "xlist-FLAG",
        "The folder that gets the special use FLAG when it is created automatically.",
    ),
    Pattern(
        "autocreate_acl",
        "FOLDER IDENTIFIER RIGHTS: an access right set on an automatically created folder. One only.",
    ),
)


def known(name: str, lookup: Callable[[str], str | None]) -> bool:
    """Whether ``name`` is one of the settings for partitions or special uses.

    Metadata, archive and search directories count only beside a partition of
    the same name, which ``lookup`` finds.
    """
    if name == "tls_server_cert_dir" or name.startswith(("partition-", "backuppartition-", "xlist-")):
        return True
    if name.startswith("metapartition-"):
        return lookup(name.removeprefix("meta")) is not None
    if name.startswith("archivepartition-"):
        return lookup(name.removeprefix("archive")) is not None
    _, search, partition = name.partition("searchpartition-")
    return bool(search) and lookup("partition-" + partition) is not None
