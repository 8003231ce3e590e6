"""What of a schema the release before relies on, read from Postgres' own catalogue."""

from dataclasses import dataclass

TABLES = """
    SELECT c.oid, c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
"""
COLUMNS = f"""
    SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.atthasdef OR
        a.attidentity <> '' AS given FROM ({TABLES}) t JOIN pg_attribute a ON a.attrelid = t.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
"""
UNIQUE = f"""
    SELECT t.relname, array(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n
        ORDER BY 1) AS columns, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate
    FROM ({TABLES}) t JOIN pg_index i ON i.indrelid = t.oid WHERE i.indisunique
"""
CONSTRAINTS = f"""
    SELECT t.relname, pg_get_constraintdef(k.oid) AS rule, array(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum = ANY (k.conkey) ORDER BY a.attname) AS columns
    FROM ({TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid WHERE k.contype IN ('c', 'f', 'x')
"""
SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"


@dataclass(frozen=True)
class Column:
    type: str
    not_null: bool
    has_default: bool


@dataclass(frozen=True)
class Schema:
    tables: dict[str, dict[str, Column]]
    unique: frozenset[tuple[str, tuple[str, ...], str]]
    """Table, columns, condition: what an upsert may name, and what an insert may run into."""
    constraints: frozenset[tuple[str, str, tuple[str, ...]]]
    """Table, rule, columns of it."""
    sequences: frozenset[str]


async def read_schema(connection) -> Schema:
    tables = {row["relname"]: {} for row in await connection.fetch(TABLES)}
    for row in await connection.fetch(COLUMNS):
        tables[row["relname"]][row["attname"]] = Column(row["type"], row["attnotnull"], row["given"])
    unique = [(row["relname"], tuple(row["columns"]), row["predicate"]) for row in await connection.fetch(UNIQUE)]
    rules = [(row["relname"], row["rule"], tuple(row["columns"])) for row in await connection.fetch(CONSTRAINTS)]
    sequences = [row["sequencename"] for row in await connection.fetch(SEQUENCES)]
    return Schema(tables, frozenset(unique), frozenset(rules), frozenset(sequences))


def broken(before: Schema, after: Schema) -> set[str]:
    """What statements written for `before` run into on `after`; empty where a schema has only been expanded."""
    found = {f"sequence {name} is gone" for name in before.sequences - after.sequences}
    for table, columns in before.tables.items():
        if table not in after.tables:
            found.add(f"{table} is gone")
        else:
            found |= {f"{table}.{what}" for what in _broken_columns(columns, after.tables[table])}
    return found | _broken_rules(before, after)


def _broken_columns(before: dict[str, Column], after: dict[str, Column]) -> set[str]:
    found = {f"{name} is gone" for name in before.keys() - after.keys()}
    for name in before.keys() & after.keys():
        was, now = before[name], after[name]
        if now.type != was.type:
            found.add(f"{name} is {now.type} and was {was.type}")
        if now.not_null and not was.not_null:
            found.add(f"{name} refuses null")
        if now.not_null and was.has_default and not now.has_default:
            found.add(f"{name} has lost its default")
    fresh = {name: after[name] for name in after.keys() - before.keys()}
    return found | {f"{name} must be given" for name, now in fresh.items() if now.not_null and not now.has_default}


def _broken_rules(before: Schema, after: Schema) -> set[str]:
    found = {
        f"{table} ({', '.join(columns)}) is no longer unique"
        for table, columns, predicate in before.unique - after.unique
        if table in after.tables
    }
    for table, columns, _ in after.unique - before.unique:
        if before.tables.get(table, {}).keys() >= set(columns):
            found.add(f"{table} ({', '.join(columns)}) has become unique")
    for table, rule, columns in after.constraints - before.constraints:
        if before.tables.get(table, {}).keys() & set(columns):
            found.add(f"{table} has a new rule: {rule}")
    return found
