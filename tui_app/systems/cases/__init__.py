"""Cases of a case management: verdicts, previews, cancelling, and reinstating within two hours."""
