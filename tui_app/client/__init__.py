"""The backend client adapter, and the transports beneath it."""
