"""THE ONE ENGINE: carries a Source into a Target, step by step, through a Ledger. Knows no protocol and no database."""
