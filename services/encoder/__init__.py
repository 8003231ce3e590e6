"""The language model as a service: text to vector. Knows nothing of shops."""
