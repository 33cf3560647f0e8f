"""IMAP4rev1 and rev2 (RFC 3501, 9051).

IMAPClient opens, secures, logs in and manages folders; messages run over `wire`.
"""
