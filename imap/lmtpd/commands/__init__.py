"""One module an LMTP command."""
