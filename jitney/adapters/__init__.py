"""Who speaks with the outside: one folder per adapter type."""
