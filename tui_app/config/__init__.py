"""Profiles: which systems there are, where they are, and who acts; flag before environment before file."""
