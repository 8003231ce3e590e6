"""What a collection was made with, in its own metadata: searches read it there and need no database."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from qdrant_client import grpc as q

from services.common.errors import Internal
from services.retrieval.adapters.rules_format import packed_rules, unpacked_rules
from services.retrieval.attributes import AttributeDeclaration, AttributeType, Declarations
from services.retrieval.index_version import IndexVersion, Model


def facts_of(version: IndexVersion) -> dict[str, q.Value]:
    """The metadata of a version's collection."""
    facts = {
        "number": q.Value(integer_value=version.number),
        "model_name": _text(version.model.name),
        "model_revision": _text(version.model.revision),
        "dims": q.Value(integer_value=version.model.dims),
        "mean_vector": _text(b64encode(version.mean.astype("<f4").tobytes()).decode()),
        "analyser_version": q.Value(integer_value=version.analyser_version),
        "attributes": _attributes(version.declarations),
    }
    if version.rules is not None:
        facts["document_rules"] = _text(packed_rules(version.rules))
    return facts


def version_of(catalog: str, facts: Mapping[str, q.Value]) -> IndexVersion:
    """The version that a collection's metadata tells of.

    Raises:
        Internal: it was not made by this service.
    """
    if not facts:
        raise Internal("the collection was not made by this service", reason="FOREIGN_COLLECTION")
    model = Model(facts["model_name"].string_value, facts["model_revision"].string_value, facts["dims"].integer_value)
    declarations = _declarations(facts["attributes"]) if "attributes" in facts else {}
    return IndexVersion(
        catalog=catalog,
        number=facts["number"].integer_value,
        model=model,
        mean=np.frombuffer(b64decode(facts["mean_vector"].string_value), "<f4"),
        analyser_version=facts["analyser_version"].integer_value,
        declarations=declarations,
        coming=declarations,
        rules=unpacked_rules(facts["document_rules"].string_value) if "document_rules" in facts else None,
    )


def _attributes(declarations: Declarations) -> q.Value:
    entries = []
    for declared in declarations.values():
        fields = {
            name: q.Value(bool_value=value) if isinstance(value, bool) else _text(value)
            for name, value in {**asdict(declared), "type": declared.type.name}.items()
        }
        entries.append(q.Value(struct_value=q.Struct(fields=fields)))
    return q.Value(list_value=q.ListValue(values=entries))


def _declarations(value: q.Value) -> Declarations:
    declared = [
        AttributeDeclaration(
            name=fields["name"].string_value,
            type=AttributeType[fields["type"].string_value],
            unit=fields["unit"].string_value,
            searchable=fields["searchable"].bool_value,
            filterable=fields["filterable"].bool_value,
            facetable=fields["facetable"].bool_value,
        )
        for fields in (entry.struct_value.fields for entry in value.list_value.values)
    ]
    return {declaration.name: declaration for declaration in declared}


def _text(value: str) -> q.Value:
    return q.Value(string_value=value)
