"""cyradm(1): a shell for the administrators of an IMAP server."""
