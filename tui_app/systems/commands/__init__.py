"""Commands: what waits in the troubleshooting queue of a command bus."""
