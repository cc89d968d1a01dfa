"""The head of the literals in which messages come, whole or in parts: found, and judged by its size."""

from __future__ import annotations

import os

from imap.imapd.parse import LITERAL_MINUS_TOO_LARGE, MAX_UINT32, MessageLiteral, ParseError, Parser
from imap.imapd.response import No
from imap.imapd.session import Session
from libcyrus.errors import Fatal, MessageTooBig, MessageTooLarge


def read_head(parser: Parser) -> MessageLiteral:
    """Raises ParseError in the words of APPEND."""
    literal = parser.message_literal()
    if literal is not None:
        if literal.size > MAX_UINT32:
            raise ParseError("Literal size not a number")
        return literal
    word = parser.word().removeprefix(b"~")
    if not word.startswith(b"{"):
        raise ParseError("Missing required argument to Append command")
    if not word[1:2].isdigit():
        raise ParseError("Literal size not a number")
    raise ParseError("Invalid literal in Append command")


def check_size(session: Session, literal: MessageLiteral, room: int) -> None:
    """Refuse what is larger than ``room`` before its octets come; if they come anyway, end the connection."""
    if literal.non_synchronizing:
        if session.settings.limits.literal_minus and literal.size > 4096:
            raise _fatal(session, LITERAL_MINUS_TOO_LARGE)
        if literal.size > room:
            raise _fatal(session, MessageTooBig.text)
    elif literal.size > room:
        raise MessageTooLarge


def _fatal(session: Session, text: str) -> Fatal:
    session.out.tagged(session.tag, No(text))
    return Fatal(text, os.EX_PROTOCOL)
