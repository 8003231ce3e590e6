"""The `zhiyin` command: the one-machine stack, import, search and traces for people at a terminal."""
