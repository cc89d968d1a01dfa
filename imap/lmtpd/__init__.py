"""lmtpd(8): the LMTP delivery server."""
