"""What several suites use: `from support.… import …`."""
