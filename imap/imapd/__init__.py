"""imapd(8): the IMAP4rev1 server."""
