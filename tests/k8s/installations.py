"""Questions that tests ask of a rendered installation."""

import base64

from services.encoder.config import EncoderSettings
from services.feedback.config import FeedbackSettings
from services.gateway.config import GatewaySettings
from services.ranker.config import RankerSettings
from services.retrieval.config import RetrievalSettings

SETTINGS = {
    "encoder": EncoderSettings,
    "feedback": FeedbackSettings,
    "gateway": GatewaySettings,
    "ranker": RankerSettings,
    "retrieval": RetrievalSettings,
}


def resource(resources, kind, name):
    (found,) = [r for r in resources if r["kind"] == kind and r["metadata"]["name"] == name]
    return found


def of_kind(resources, kind):
    return [r for r in resources if r["kind"] == kind]


def container(resources, kind, name):
    (only,) = resource(resources, kind, name)["spec"]["template"]["spec"]["containers"]
    return only


def config_maps(resources):
    return {r["metadata"]["name"]: r["data"] for r in of_kind(resources, "ConfigMap")}


def secrets(resources):
    return {
        r["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in r["data"].items()}
        for r in of_kind(resources, "Secret")
    }


def environment(resources, kind, name):
    """Variables of a container and their values, as the kubelet would put them together."""
    maps, hidden, variables = config_maps(resources), secrets(resources), {}
    spec = container(resources, kind, name)
    for source in spec.get("envFrom", []):
        variables |= maps[source["configMapRef"]["name"]]
    for variable in spec.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        secret = reference and hidden[reference["name"]][reference["key"]]
        variables[variable["name"]] = secret or variable.get("value", name)
    return variables


def variables_of(settings_class):
    """The variable of each field, by the rule that `services.common.settings` states."""
    return {
        field.validation_alias or f"ZHIYIN_{name.upper()}": field for name, field in settings_class.model_fields.items()
    }
