"""One typed wrapper for each database of the server. They know records, and no mailbox files."""
