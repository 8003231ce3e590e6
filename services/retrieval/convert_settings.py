"""Settings of catalogues: between the messages of the API and the plain values of the domain."""

from functools import lru_cache
from typing import Final

from services.retrieval.attributes import AttributeDeclaration, AttributeType, Declarations
from services.retrieval.catalog_settings import (
    AttributeUse,
    GivenAttribute,
    SettingsDraft,
    SettingsState,
    SettingsVersion,
)
from zhiyin.common.v1 import catalog_settings_pb2 as pb

_TYPES: Final[dict[int, AttributeType]] = {
    pb.ATTRIBUTE_TYPE_TEXT: AttributeType.TEXT,
    pb.ATTRIBUTE_TYPE_NUMBER: AttributeType.NUMBER,
    pb.ATTRIBUTE_TYPE_BOOLEAN: AttributeType.BOOLEAN,
}
_USES: Final[dict[int, AttributeUse]] = {
    pb.ATTRIBUTE_USE_SEARCHABLE: AttributeUse.SEARCHABLE,
    pb.ATTRIBUTE_USE_FILTERABLE: AttributeUse.FILTERABLE,
    pb.ATTRIBUTE_USE_FACETABLE: AttributeUse.FACETABLE,
}
_STATES: Final = {
    SettingsState.APPLYING: pb.CATALOG_SETTINGS_STATE_APPLYING,
    SettingsState.IN_FORCE: pb.CATALOG_SETTINGS_STATE_IN_FORCE,
    SettingsState.SUPERSEDED: pb.CATALOG_SETTINGS_STATE_SUPERSEDED,
}


def settings_draft(message: pb.CatalogSettings) -> SettingsDraft:
    """Settings to be stored: their attributes, each use named once and in one order."""
    stored = pb.CatalogSettings(attributes=message.attributes)
    for attribute in stored.attributes:
        uses = sorted(set(attribute.uses))
        del attribute.uses[:]
        attribute.uses.extend(uses)
    attributes = [
        GivenAttribute(each.name, _TYPES.get(each.type), each.unit, [_USES.get(use) for use in each.uses])
        for each in stored.attributes
    ]
    return SettingsDraft(attributes, stored.SerializeToString(deterministic=True), message.etag)


def settings_message(version: SettingsVersion) -> pb.CatalogSettings:
    """One version of the settings."""
    message = pb.CatalogSettings.FromString(version.content)
    message.version = version.number
    message.etag = version.etag
    if version.create_time is not None:
        message.create_time.FromDatetime(version.create_time)
        message.state = _STATES[version.state]
    return message


@lru_cache(maxsize=64)
def declarations_of(content: bytes) -> Declarations:
    """The attributes that stored settings declare, by name, in their order."""
    return {each.name: _declaration(each) for each in pb.CatalogSettings.FromString(content).attributes}


def _declaration(message: pb.AttributeDeclaration) -> AttributeDeclaration:
    return AttributeDeclaration(
        message.name,
        _TYPES[message.type],
        message.unit,
        searchable=pb.ATTRIBUTE_USE_SEARCHABLE in message.uses,
        filterable=pb.ATTRIBUTE_USE_FILTERABLE in message.uses,
        facetable=pb.ATTRIBUTE_USE_FACETABLE in message.uses,
    )
