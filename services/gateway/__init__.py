"""The public API: fan-out, deadlines, fallbacks, tokens, assembly of the reply. No ranking logic, no state."""
