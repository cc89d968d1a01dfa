"""Text: charsets, modified UTF-7, RFC 822 tokens, addresses."""
