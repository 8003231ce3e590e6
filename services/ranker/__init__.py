"""Everything that decides the order of what is shown."""
