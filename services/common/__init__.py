"""What all five services share.

A closed list: server, channels, interceptors, errors, status, deadlines, settings, telemetry, security, Postgres and
its migrations.
Nothing of the shop's domain lives here, and nothing here imports a service.
"""
