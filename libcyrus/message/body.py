"""The MIME tree of a message: one ``BodyPart`` for each entity (RFC 2045, RFC 2046).

Offsets and sizes are in bytes from the start of the message. What a header
says is read from the field's text when asked for, because most fields of most
parts are never needed.
"""

from __future__ import annotations

from libcyrus.message import fields
from libcyrus.text import transfer
from libcyrus.text.addresses import Address, parse_list
from libcyrus.text.charset import known_name

Params = list[tuple[bytes, bytes]]

NULL_GUID = bytes(20)


class BodyPart:
    """One entity: header, then content, which a multipart or message/rfc822 holds as ``parts``.

    ``boundary_size`` and ``boundary_lines`` measure the delimiter that ended
    the entity, counted to it and not to its content. ``content_guid`` is the
    SHA-1 of the decoded content, ``decoded_size`` its length; both are zero for
    a multipart, for an unknown transfer encoding and where no content was read.
    """

    __slots__ = (
        "boundary_lines",
        "boundary_size",
        "content_guid",
        "content_lines",
        "content_offset",
        "content_size",
        "decoded_size",
        "disposition",
        "disposition_params",
        "encoding",
        "header_lines",
        "header_offset",
        "header_size",
        "header_text",
        "params",
        "parts",
        "subtype",
        "type",
        "values",
    )

    def __init__(self) -> None:
        self.type = b"TEXT"
        self.subtype = b"PLAIN"
        self.params: Params = []
        self.encoding: bytes | None = None
        self.disposition: bytes | None = None
        self.disposition_params: Params = []
        self.header_text = b""
        self.values: dict[str, int] = {}
        self.header_offset = 0
        self.header_size = 0
        self.header_lines = 0
        self.content_offset = 0
        self.content_size = 0
        self.content_lines = 0
        self.boundary_size = 0
        self.boundary_lines = 0
        self.content_guid = NULL_GUID
        self.decoded_size = 0
        self.parts: list[BodyPart] = []

    @property
    def is_multipart(self) -> bool:
        return self.type == b"MULTIPART"

    @property
    def is_message(self) -> bool:
        """Whether this is message/rfc822; its one part is then the message inside."""
        return self.type == b"MESSAGE" and self.subtype == b"RFC822"

    def string(self, name: str) -> bytes | None:
        """The unfolded value of a field by its key in ``fields.KEYS``, None if absent."""
        at = self.values.get(name)
        return None if at is None else fields.parse_string(self.header_text, at)

    def addresses(self, name: str) -> list[Address]:
        """The addresses of a field by its key in ``fields.KEYS``."""
        at = self.values.get(name)
        if at is None:
            return []
        return parse_list(self.header_text[at : fields.address_end(self.header_text, at)])

    @property
    def language(self) -> list[bytes]:
        at = self.values.get("content-language")
        return [] if at is None else fields.parse_language(self.header_text, at)

    @property
    def received_date(self) -> bytes | None:
        """The date of the first Received field, or its whole value if it has none."""
        value = self.string("received")
        if value is None:
            return None
        date = value[value.rfind(b";", 1) + 1 :]
        return date.lstrip(b" \t") if date else value

    @property
    def transfer_encoding(self) -> int:
        """The encoding, a constant of ``text.transfer``, by which the content is to be decoded."""
        if self.type == b"MESSAGE":
            return transfer.NONE
        return _ENCODINGS.get(self.encoding, transfer.UNKNOWN)

    @property
    def charset(self) -> bytes | None:
        """The charset's name as the part gives it, ``us-ascii`` if it gives none; None where none applies."""
        if self.type == b"TEXT":
            for attribute, value in reversed(self.params):
                if attribute == b"CHARSET" and value and known_name(value):
                    return value
            return b"us-ascii"
        if self.type == b"MESSAGE" and self.subtype != b"RFC822":
            return b"us-ascii"
        return None


_ENCODINGS: dict[bytes | None, int] = {
    None: transfer.NONE,
    b"7BIT": transfer.NONE,
    b"8BIT": transfer.NONE,
    b"BINARY": transfer.NONE,
    b"BASE64": transfer.BASE64,
    b"QUOTED-PRINTABLE": transfer.QUOTED_PRINTABLE,
}
