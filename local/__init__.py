"""The one-machine stack: real parts, started as processes of our own."""
