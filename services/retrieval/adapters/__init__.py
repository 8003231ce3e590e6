"""What retrieval talks to: Postgres, Qdrant, the encoder, OpenTelemetry."""
