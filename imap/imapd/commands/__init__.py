"""One module an IMAP command."""
