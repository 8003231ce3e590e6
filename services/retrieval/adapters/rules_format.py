"""Document rules as JSON: how a version keeps them, in Postgres and in its collection's metadata."""

import json
from dataclasses import asdict

from services.retrieval.analysis import Bm25
from services.retrieval.documents import DocumentRules


def packed_rules(rules: DocumentRules) -> str:
    """Rules as JSON."""
    return json.dumps(asdict(rules), sort_keys=True)


def unpacked_rules(packed: str) -> DocumentRules:
    """Rules from their JSON."""
    fields = json.loads(packed)
    return DocumentRules(**{**fields, "bm25": Bm25(**fields["bm25"])})
