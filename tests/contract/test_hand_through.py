"""What the gateway hands to another service unchanged has to mean the same there."""

import pytest

from services.gateway.servicer import HANDED_THROUGH, HANDED_TO_FEEDBACK
from tests.contract.services import services

ONLY_IN_RETRIEVAL = {"GetProductResponse": {"index_state"}}
"""Fields that the public API does not tell; the gateway drops them."""


def handed_through():
    """(public method, the other service's) of every RPC that is handed through."""
    public = {service.name: service for service in services("gateway")}
    own = {service.name: service for peer in ("retrieval", "feedback") for service in services(peer)}
    for names, at in ((HANDED_THROUGH, "RetrievalService"), (HANDED_TO_FEEDBACK, "FeedbackService")):
        for name in names:
            yield public["GatewayService"].methods_by_name[name], own[at].methods_by_name[name]
    for whole in ("CatalogSettingsService", "IndexAdminService", "UserDataService"):
        for method in public[whole].methods:
            at = "FeedbackService" if method.name == "GetUserProfile" else whole
            yield method, own[at].methods_by_name[method.name]


def shape(message, seen=()):
    """Everything of a message that decides what its bytes mean, and how its fields are named, by field number."""
    if message.full_name in seen:
        return message.name
    return {field.number: _field_shape(field, (*seen, message.full_name)) for field in message.fields}


def _field_shape(field, seen):
    oneof = field.containing_oneof.name if field.containing_oneof else ""
    inner = None
    if field.message_type is not None:
        inner = shape(field.message_type, seen)
    elif field.enum_type is not None:
        inner = {value.number: value.name for value in field.enum_type.values}
    return field.name, field.type, field.is_repeated, field.has_presence, oneof, inner


@pytest.mark.parametrize(
    ("public", "own"), list(handed_through()), ids=lambda method: f"{method.containing_service.full_name}.{method.name}"
)
def test_a_handed_through_rpc_has_the_messages_of_the_one_that_answers(public, own):
    assert shape(public.input_type) == shape(own.input_type)
    left_out = ONLY_IN_RETRIEVAL.get(own.output_type.name, set())
    expected = {number: field for number, field in shape(own.output_type).items() if field[0] not in left_out}
    assert shape(public.output_type) == expected


def test_the_services_that_are_handed_through_whole_have_the_same_methods_on_both_sides():
    own = {service.name: service for peer in ("retrieval", "feedback") for service in services(peer)}
    for name in ("CatalogSettingsService", "IndexAdminService", "UserDataService"):
        (public,) = (service for service in services("gateway") if service.name == name)
        names = [method.name for method in public.methods if method.name != "GetUserProfile"]
        assert names == [method.name for method in own[name].methods]


def test_fields_that_lists_share_with_retrieval_have_its_names_so_that_its_refusals_name_the_callers_field():
    (public,) = (service for service in services("gateway") if service.name == "GatewayService")
    (own,) = (service for service in services("retrieval") if service.name == "RetrievalService")
    pairs = {"Search": "SearchCandidates", "ListSimilarProducts": "FindSimilarProducts"}
    own_alone = {"limit", "behaviours"}
    for name, peer in pairs.items():
        ours, theirs = public.methods_by_name[name].input_type, own.methods_by_name[peer].input_type
        assert {field.name for field in theirs.fields} - {field.name for field in ours.fields} <= own_alone
        for field in theirs.fields:
            if field.name not in own_alone:
                assert _field_shape(field, ()) == _field_shape(ours.fields_by_name[field.name], ())
