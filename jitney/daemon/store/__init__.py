"""The one SQLite thread with group commit, and the small repositories of its tables."""
