"""Our own durable state: the journal of plans and runs, and the ledger."""
