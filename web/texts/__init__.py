"""What pages say: one sentence per code, in the reader's language. Codes come from the core, words from here."""
