"""Mailbox and message annotations."""

from __future__ import annotations

from libcyrus.options.declare import string, switch

annotation_allow_undefined = switch(
    "annotation_allow_undefined", False, since="2.5.0", doc="Accept annotation entries nobody defined."
)
annotation_definitions = string(
    "annotation_definitions", None, since="2.5.0", doc="File listing site-defined annotation entries."
)
annotation_callout = string(
    "annotation_callout", None, since="2.5.0", doc="Program or socket adding annotations/flags on append."
)
annotation_callout_disable_append = switch(
    "annotation_callout_disable_append", False, since="3.1.2", doc="Skip the callout during append."
)
annotation_enable_legacy_commands = switch(
    "annotation_enable_legacy_commands",
    False,
    since="3.1.6",
    doc="Re-enable GETANNOTATION and SETANNOTATION.",
)
