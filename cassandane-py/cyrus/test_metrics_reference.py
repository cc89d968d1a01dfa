"""The original's promstatsd reports what our daemons count."""

from __future__ import annotations

import re

import pytest

from cassandane.instance import Instance, wait_for

pytestmark = pytest.mark.reference


def test_promstatsd_reports_what_was_counted() -> None:
    server = Instance(services=("imap", "lmtp"), imapd_conf={"prometheus_enabled": "yes"})
    server.start()
    try:
        server.create_user("bob")
        with server.lmtp() as lmtp:
            lmtp.deliver(b"Subject: x\r\n\r\nfoo\r\n", "bob")
        with server.imap("bob") as client:
            client.ok("SELECT INBOX")
            client.ok("FETCH 1 FLAGS")
            client.ok("UID FETCH 1 FLAGS")
            client.command("COPY 1 nowhere")
            client.command("FETCH nonsense")
        done = server.directory / "conf/stats"
        server.stop()
        wait_for(lambda: len(list(done.glob("doneprocs.*"))) == 2, "workers left nothing")
        assert not [path for path in done.iterdir() if path.name.isdigit()]
        server.run("promstatsd", "-1", kind="reference")
        report = (done / "report.txt").read_text()
        found = dict(re.findall(r"(?m)^cyrus_((?:imap|lmtp)_\w+)\{[^}]*\} ([1-9]\d*) ", report))
        expected = {
            "imap_fetch_total": "2",
            "imap_select_total": "1",
            "imap_copy_total": "1",
            "imap_create_total": "1",
            "imap_logout_total": "2",
            "imap_authenticate_total": "2",
            "lmtp_received_messages_total": "1",
            "lmtp_received_recipients_total": "1",
            "lmtp_transmitted_messages_total": "1",
        }
        assert found.items() >= expected.items()
        assert "imap_active_connections" not in found and "imap_ready_listeners" not in found
    finally:
        server.kill()
        server.remove()
