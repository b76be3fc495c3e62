"""Which files a result becomes."""
