"""The catalogue, its index, and candidates for a query."""
