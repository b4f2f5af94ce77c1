"""The way to services that others run: one origin each, capped, in time, and with a token that is still valid."""
