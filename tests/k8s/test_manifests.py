"""What the manifests say is what the code reads."""

import re
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from k8s.check.pods import pods
from local.config import StackSettings
from services.common.migrations import MigrationSettings
from tests.k8s.installations import (
    SETTINGS,
    config_maps,
    container,
    environment,
    of_kind,
    resource,
    secrets,
    variables_of,
)

FOR_TELEMETRY = {"POD_NAME", "OTEL_RESOURCE_ATTRIBUTES"}
"""Read by OpenTelemetry's SDK, not by settings."""
CLOSING_SECONDS = 30
"""What may follow the drain: impressions 3, each channel 1, connections 3, spans 5, metrics 5; and some to spare."""
QUANTITY = re.compile(r"\d+(m|Mi|Gi)?")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_of_a_service_is_one_that_it_reads(installation, name):
    given = environment(installation, "Deployment", name).keys() - FOR_TELEMETRY
    assert given - variables_of(SETTINGS[name]).keys() == set()


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_without_a_default_is_set(installation, name):
    required = {variable for variable, field in variables_of(SETTINGS[name]).items() if field.is_required()}
    assert required <= environment(installation, "Deployment", name).keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_take_the_values_that_the_manifests_give(installation, monkeypatch, name):
    for variable, value in environment(installation, "Deployment", name).items():
        monkeypatch.setenv(variable, value)
    assert SETTINGS[name]().otlp_endpoint == "http://jaeger:4317"


@pytest.mark.parametrize(("job", "service"), [("catalogue-migration", "retrieval"), ("feedback-migration", "feedback")])
def test_a_migration_runs_the_image_and_the_database_of_its_service(installation, job, service):
    migration = container(installation, "Job", job)
    assert migration["args"] == [f"services.{service}.migrate"]
    assert migration["image"] == container(installation, "Deployment", service)["image"]
    given = environment(installation, "Job", job)
    assert given.keys() == variables_of(MigrationSettings).keys()
    assert given["ZHIYIN_DATABASE_URL"] == environment(installation, "Deployment", service)["ZHIYIN_DATABASE_URL"]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_listens_on_its_usual_port_and_everything_else_names_that_port(installation, name):
    usual = StackSettings.model_fields[f"{name}_port"].default
    assert SETTINGS[name].model_fields["bind"].default.rpartition(":")[2] in {str(usual), "0"}
    main = container(installation, "Deployment", name)
    assert environment(installation, "Deployment", name)["ZHIYIN_BIND"] == f"0.0.0.0:{usual}"
    assert [port["containerPort"] for port in main["ports"]] == [usual]
    assert {main[probe]["grpc"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {usual}
    (port,) = resource(installation, "Service", name)["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (usual, "grpc")


def test_every_address_is_that_of_a_service_of_the_installation(installation):
    offered = {
        (service["metadata"]["name"], port["port"])
        for service in of_kind(installation, "Service")
        for port in service["spec"]["ports"]
    }
    values = [*config_maps(installation).values(), *secrets(installation).values()]
    urls = [urlsplit(value) for data in values for value in data.values() if re.match(r"\w+://\S+$", value)]
    addresses = {(url.hostname, url.port) if url.scheme != "dns" else _of_target(url.path) for url in urls}
    assert addresses <= offered
    assert addresses >= {("encoder", 50051), ("qdrant", 6334), ("postgres", 5432), ("jaeger", 4317)}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_target_names_the_service_of_its_variable(installation, name):
    for variable, value in environment(installation, "Deployment", name).items():
        if variable.endswith("_TARGET"):
            assert (
                _of_target(urlsplit(value).path)[0] == variable.removeprefix("ZHIYIN_").removesuffix("_TARGET").lower()
            )


def test_feedback_remembers_erasures_on_a_volume_that_outlives_its_pods_and_that_it_may_write_to(installation):
    pod = resource(installation, "Deployment", "feedback")["spec"]["template"]["spec"]
    directory = environment(installation, "Deployment", "feedback")["ZHIYIN_ERASURE_LOG"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["mountPath"] == directory]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == mount["name"]]
    assert volume["persistentVolumeClaim"]["claimName"] == "feedback-erasures"
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_replicas_on_several_nodes_share_the_volume_of_erasures(base):
    claim = resource(base, "PersistentVolumeClaim", "feedback-erasures")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_ranker_follows_the_statistics_of_feedback(installation):
    assert environment(installation, "Deployment", "ranker")["ZHIYIN_FEEDBACK_TARGET"] == "dns:///feedback:50054"


def test_what_is_called_in_turn_by_its_clients_has_a_headless_service_that_lists_ready_pods_only(installation):
    targets = {
        _of_target(value.removeprefix("dns://"))[0]
        for data in config_maps(installation).values()
        for value in data.values()
        if value.startswith("dns:///")
    }
    for name in targets:
        spec = resource(installation, "Service", name)["spec"]
        assert spec["clusterIP"] == "None"
        assert not spec.get("publishNotReadyAddresses", False)


def test_secrets_are_referred_to_and_never_written_in_the_base(base):
    secret = {
        variable
        for settings in SETTINGS.values()
        for variable, field in variables_of(settings).items()
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
    }
    assert {"ZHIYIN_DATABASE_URL", "ZHIYIN_SIGNING_KEY", "ZHIYIN_VISITOR_KEY"} <= secret
    assert of_kind(base, "Secret") == []
    assert not secret & {variable for data in config_maps(base).values() for variable in data}
    for pod in pods(base):
        for variable in pod.containers[0].get("env", []):
            hidden = variable["name"] in secret or "PASSWORD" in variable["name"]
            assert hidden == ("secretKeyRef" in variable.get("valueFrom", {})), variable["name"]


def test_the_secrets_of_the_dev_overlay_say_that_they_are_none(installation):
    for data in secrets(installation).values():
        assert all("dev-only-not-a-secret" in value for value in data.values())


def test_images_are_pinned_and_ours_name_no_registry(installation):
    for pod in pods(installation):
        repository, _, tag = pod.containers[0]["image"].partition(":")
        assert tag not in {"", "latest"}, pod.owner
        assert "." not in repository, pod.owner
        assert not repository.startswith("zhiyin") or "/" not in repository


def test_pods_keep_to_the_restricted_profile_of_pod_security(installation):
    for pod in pods(installation):
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["runAsUser"] > 0
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for each in pod.containers:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_every_container_says_what_it_needs_and_how_much_memory_it_may_take(installation):
    for pod in pods(installation):
        resources = pod.containers[0]["resources"]
        needed = [resources["requests"]["cpu"], resources["requests"]["memory"], resources["limits"]["memory"]]
        assert all(QUANTITY.fullmatch(str(amount)) for amount in needed), pod.owner


@pytest.mark.parametrize("name", SETTINGS)
def test_a_pod_is_given_the_time_that_its_service_takes_to_drain_and_close(installation, name):
    pod = resource(installation, "Deployment", name)["spec"]["template"]["spec"]
    given = environment(installation, "Deployment", name).get("ZHIYIN_DRAIN_SECONDS")
    drain = float(given or SETTINGS[name].model_fields["drain_seconds"].default)
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= pause + drain + CLOSING_SECONDS


@pytest.mark.parametrize("name", SETTINGS)
def test_a_roll_out_never_has_fewer_replicas_than_asked_for(base, name):
    strategy = resource(base, "Deployment", name)["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_a_changed_setting_changes_the_name_that_pods_refer_to(installation):
    for name in config_maps(installation):
        assert re.search(r"-[a-z0-9]{10}$", name)


def _of_target(path):
    host, _, port = path.removeprefix("/").rpartition(":")
    return host, int(port)
