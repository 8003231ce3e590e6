"""Every RPC of every service, from the descriptors of the generated code."""

from importlib import import_module

from google.protobuf.message_factory import GetMessageClass

NAMES = ("encoder", "retrieval", "ranker", "feedback", "gateway")


def service(name):
    """Descriptor of a service by its short name."""
    module = import_module(f"zhiyin.{name}.v1.{name}_service_pb2")
    return module.DESCRIPTOR.services_by_name[f"{name.capitalize()}Service"]


def methods():
    """(short service name, method descriptor) of every RPC."""
    return [(name, method) for name in NAMES for method in service(name).methods]


def path(method):
    return f"/{method.containing_service.full_name}/{method.name}"


def request_class(method):
    return GetMessageClass(method.input_type)


def response_class(method):
    return GetMessageClass(method.output_type)
