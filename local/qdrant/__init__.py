"""The official Qdrant engine (`qdrant-edge-py`) behind Qdrant's own gRPC API, for one machine.

A closed list of RPCs, those that retrieval uses; everything else is UNIMPLEMENTED. Searches exactly up to 50,000
points, and above that through graphs that a process beside it builds on a copy (`optimiser`).
"""

from local.qdrant.process import QdrantServer

__all__ = ["QdrantServer"]
