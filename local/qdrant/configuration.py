"""CreateCollection of Qdrant's gRPC API -> the engine's configuration."""

import qdrant_edge as edge
from qdrant_client import grpc as pb

from local.qdrant.refusals import bad_input, not_served, refuse_fields

DISTANCES = {pb.Cosine: edge.Distance.Cosine, pb.Dot: edge.Distance.Dot}
# Qdrant's defaults.
LINKS_PER_NODE = 16
CONSTRUCTION_CANDIDATES = 100
BYTES_PER_NUMBER = 4
KILOBYTE = 1024
# One graph, however large: every segment is searched by every query.
MAX_SEGMENT_KILOBYTES = 64 * 1024 * 1024
INDEX_ALL_KILOBYTES = 1


def configuration(request: pb.CreateCollection) -> edge.EdgeConfig:
    """The engine's configuration: named dense vectors, named sparse ones, the write-ahead log on.

    Settings that only say how an index is built or stored (HNSW, optimisers, memory) are taken and ignored:
    the engine searches exactly until `local.qdrant.optimiser` has it build graphs, with Qdrant's defaults.

    Raises:
        RefusedError: More than one shard, quantisation, or a vector of a kind that is not on the list.
    """
    refuse_fields(request, "quantization_config", "sharding_method")
    if request.shard_number > 1:
        raise not_served("more than one shard")
    if request.vectors_config.WhichOneof("config") == "params":
        raise not_served("a vector without a name")
    return edge.EdgeConfig(vectors=dense_vectors(request), sparse_vectors=sparse_vectors(request), wal_enabled=True)


def indexed_configuration(request: pb.CreateCollection, full_scan_points: int) -> edge.EdgeConfig:
    """The same, for building one graph per vector over all points.

    A filter that leaves fewer than about `full_scan_points` is answered exactly.
    """
    dimensions = max((vector.size for vector in request.vectors_config.params_map.map.values()), default=1)
    full_scan = max(1, full_scan_points * dimensions * BYTES_PER_NUMBER // KILOBYTE)
    return edge.EdgeConfig(
        vectors=dense_vectors(request),
        sparse_vectors=sparse_vectors(request),
        hnsw_config=edge.HnswIndexConfig(LINKS_PER_NODE, CONSTRUCTION_CANDIDATES, full_scan),
        optimizers=edge.EdgeOptimizersConfig(
            default_segment_number=1,
            max_segment_size=MAX_SEGMENT_KILOBYTES,
            indexing_threshold=INDEX_ALL_KILOBYTES,
        ),
        wal_enabled=True,
    )


def dense_vectors(request: pb.CreateCollection) -> dict[str, edge.EdgeVectorParams]:
    """The named dense vectors."""
    return {name: dense_vector(params) for name, params in request.vectors_config.params_map.map.items()}


def sparse_vectors(request: pb.CreateCollection) -> dict[str, edge.EdgeSparseVectorParams]:
    """The named sparse vectors."""
    return {name: sparse_vector(params) for name, params in request.sparse_vectors_config.map.items()}


def dense_vector(params: pb.VectorParams) -> edge.EdgeVectorParams:
    """A named dense vector."""
    refuse_fields(params, "quantization_config", "multivector_config")
    if params.distance not in DISTANCES:
        raise not_served(f"Distance {pb.Distance.Name(params.distance)}")
    if not 1 <= params.size <= 65536:
        raise bad_input("size of a vector must be 1 to 65536")
    return edge.EdgeVectorParams(params.size, DISTANCES[params.distance])


def sparse_vector(params: pb.SparseVectorParams) -> edge.EdgeSparseVectorParams:
    """A named sparse vector, with or without IDF."""
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.modifier == pb.Idf else None)
