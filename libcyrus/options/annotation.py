"""Mailbox and message annotations."""

from __future__ import annotations

from libcyrus.options.declare import string, switch

annotation_allow_undefined = switch(
    "annotation_allow_undefined",
    False,
    since="2.5.0",
    doc="Accept annotations that neither the server nor annotation_definitions defines.",
)
annotation_definitions = string(
    "annotation_definitions", None, since="2.5.0", doc="A file that defines annotations of the site's own."
)
annotation_callout = string(
    "annotation_callout",
    None,
    since="2.5.0",
    doc="A program, or the UNIX socket of one, that may add annotations and flags to each appended message.",
)
annotation_callout_disable_append = switch(
    "annotation_callout_disable_append",
    False,
    since="3.1.2",
    doc="Do not call annotation_callout for the command XRUNANNOTATOR.",
)
annotation_enable_legacy_commands = switch(
    "annotation_enable_legacy_commands",
    False,
    since="3.1.6",
    doc="Offer the old commands GETANNOTATION and SETANNOTATION.",
)
