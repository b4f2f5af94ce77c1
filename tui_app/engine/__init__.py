"""Making plans and executing runs: the part that must not lose, repeat or guess anything."""
