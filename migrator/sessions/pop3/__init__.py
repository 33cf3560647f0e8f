"""POP3 (RFC 1939), as a source: the inbox only, no flags, no dates."""
