"""How the gateway reaches its peers; the only modules here that see their protobuf."""
