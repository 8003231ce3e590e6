"""The official Qdrant engine (`qdrant-edge-py`) behind Qdrant's own gRPC API, for one machine.

A closed list of RPCs, those that retrieval uses; everything else is UNIMPLEMENTED. Searches exactly.
"""

from local.qdrant.process import QdrantServer

__all__ = ["QdrantServer"]
