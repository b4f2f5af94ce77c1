"""Schedules: posts that wait for the moment at which they are published."""
