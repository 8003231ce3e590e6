"""Every RPC of every service, from the descriptors of the generated code."""

from importlib import import_module
from pathlib import Path

from google.protobuf.message_factory import GetMessageClass

NAMES = ("encoder", "retrieval", "ranker", "feedback", "gateway")
_GENERATED = Path(__file__).parents[2] / "zhiyin"


def services(name):
    """Descriptors of the gRPC services in the package of a short name."""
    modules = sorted(path.stem for path in (_GENERATED / name / "v1").glob("*_service_pb2.py"))
    files = [import_module(f"zhiyin.{name}.v1.{module}").DESCRIPTOR for module in modules]
    return [service for file in files for service in file.services_by_name.values()]


def methods():
    """(short name, method descriptor) of every RPC."""
    return [(name, method) for name in NAMES for service in services(name) for method in service.methods]


def path(method):
    return f"/{method.containing_service.full_name}/{method.name}"


def request_class(method):
    return GetMessageClass(method.input_type)


def response_class(method):
    return GetMessageClass(method.output_type)
