"""Files and queries that the stores and the systems share: SQLite access, and filters as SQL."""
