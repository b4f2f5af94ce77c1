"""Cases of the case management API."""
