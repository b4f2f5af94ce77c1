"""What the operator sees. Imports client, contract and domain only, and the first two not before the first paint."""
