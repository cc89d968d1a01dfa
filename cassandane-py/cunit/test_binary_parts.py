"""Binary parts made base64 (RFC 3516 section 4.4)."""

from __future__ import annotations

import base64

from libcyrus.message.binary import encoded


def test_blocks_do_not_show_in_what_is_encoded() -> None:
    content = bytes(range(256)) * 2500
    message = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + content

    header, _, body = b"".join(encoded(message)).partition(b"\r\n\r\n")

    assert header.endswith(b"Encoding: base64")
    lines = body.split(b"\r\n")
    assert {len(line) for line in lines[:-2]} == {72}
    assert lines[-1] == b""
    assert base64.b64decode(body) == content


def test_a_message_without_binary_parts_stays_as_it_is() -> None:
    message = b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nbinary\0\n"
    assert b"".join(encoded(message)) == message
