"""A row of every released table, as SQL literals by released column. `{n}` makes rows differ.

What has a default may be left out. A table that a release freezes needs its row here.
"""

ROWS = {
    "retrieval": {
        # zhiyin.common.v1.Product, with its id alone.
        "products": {
            "catalog": "'c'",
            "id": "'p{n}'",
            "content": r"'\x0a0161'",
            "content_digest": r"'\x00'",
            "update_time": "'2026-01-01T00:00:00Z'",
        },
        "outbox": {
            "catalog": "'c'",
            "product_id": "'p{n}'",
            "change": "{n}",
            "failure": "NULL",
            "trace_parent": "NULL",
        },
        "product_vectors": {
            "catalog": "'c'",
            "product_id": "'p{n}'",
            "model_revision": "'m'",
            "text_digest": r"'\x00'",
            "vector": r"'\x0000'",
        },
        "index_versions": {
            "catalog": "'c{n}'",
            "number": "1",
            "model_name": "'m'",
            "model_revision": "'m'",
            "dims": "384",
            "mean_vector": r"'\x00000000'",
            "analyser_version": "1",
            "active": "true",
        },
        "leases": {"name": "'l{n}'", "holder": "gen_random_uuid()", "expire_time": "'2026-01-01T00:00:00Z'"},
    },
    "feedback": {
        "impressions": {
            "catalog": "'c'",
            "impression_id": "gen_random_uuid()",
            "attribution_id": "'a{n}'",
            "visitor_hash": r"'\x00'",
            "visitor_key_version": "1",
            "surface": "1",
            "show_time": "'2026-01-01T00:00:00Z'",
            "policy": "'default'",
            "product_ids": "ARRAY['p']",
            "positions": "ARRAY[1]",
            "scores": "ARRAY[0.5]",
            "propensities": "ARRAY[1.0]",
            "feature_schema": "1",
            "features": r"ARRAY['\x00'::bytea]",
        },
    },
}


def insert(table: str, row: dict[str, str], number: int) -> str:
    """The statement that writes a row."""
    values = ", ".join(value.format(n=number) for value in row.values())
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"
