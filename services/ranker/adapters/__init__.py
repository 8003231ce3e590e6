"""What the ranker reads from outside."""
