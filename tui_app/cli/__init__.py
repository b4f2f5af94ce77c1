"""The command line: what the screens do, for scripts and screen readers; same client, same engine."""
