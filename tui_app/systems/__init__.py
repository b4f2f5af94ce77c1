"""The systems: rooms of one shape, none of which knows another."""
