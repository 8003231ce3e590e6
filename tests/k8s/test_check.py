"""The checks of `make manifests` can fail."""

import copy

import pytest

from k8s.check.__main__ import kustomizations, main
from k8s.check.references import reference_problems
from k8s.check.rendering import RenderingError, render
from k8s.check.schemas import schema_problems
from tests.k8s.installations import container, resource

ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}}


def deployment(**changes):
    pod = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "main", "image": "shop:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": pod} | changes
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": spec}


def test_base_and_overlays_have_no_problem(capsys):
    assert main(kustomizations()) == 0
    assert capsys.readouterr().err == ""


def test_a_right_resource_is_no_problem():
    assert schema_problems([deployment(), ACCOUNT]) == []


def test_a_misspelt_field_is_named():
    wrong = deployment(replica=2)
    del wrong["spec"]["replicas"]
    (problem,) = schema_problems([wrong])
    assert problem.startswith("Deployment/shop: spec:")
    assert "'replica' was unexpected" in problem


def test_a_misspelt_field_of_a_container_is_named_with_its_place():
    wrong = deployment()
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {"grpc": {"port": 1}}
    (problem,) = schema_problems([wrong])
    assert "spec.template.spec.containers.0" in problem
    assert "readinesProbe" in problem


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Deploiment"},
        {"apiVersion": "apps/v1beta1"},
        {"apiVersion": "apps.example.com/v1"},
        {"apiVersion": None},
        {"kind": None},
    ],
)
def test_an_unknown_kind_is_a_problem_not_a_warning(change):
    assert len(schema_problems([deployment() | change])) == 1


def test_a_value_of_the_wrong_type_is_a_problem():
    assert len(schema_problems([deployment(replicas="two")])) == 1


def test_what_kubectl_cannot_render_says_why(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("resources: [absent.yaml]\n")
    with pytest.raises(RenderingError, match=r"absent\.yaml"):
        render(tmp_path)


def test_the_command_fails_on_a_problem_and_names_it(tmp_path, capsys):
    (tmp_path / "kustomization.yaml").write_text("resources: [service.yaml]\n")
    (tmp_path / "service.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {port: [], ports: [{port: 1}]}\n"
    )
    assert main({tmp_path: True}) == 1
    assert (
        "Service/shop: spec: Additional properties are not allowed ('port' was unexpected)" in capsys.readouterr().err
    )


def no_account(resources):
    resources.remove(resource(resources, "ServiceAccount", "zhiyin"))


def no_settings(resources):
    name = container(resources, "Deployment", "gateway")["envFrom"][1]["configMapRef"]["name"]
    resources.remove(resource(resources, "ConfigMap", name))


def no_key(resources):
    name = container(resources, "Deployment", "gateway")["env"][2]["valueFrom"]["secretKeyRef"]["name"]
    resource(resources, "Secret", name)["data"] = {"other": ""}


def no_configuration(resources):
    volumes = resource(resources, "Deployment", "jaeger")["spec"]["template"]["spec"]["volumes"]
    (volume,) = [volume for volume in volumes if volume["name"] == "config"]
    volume["configMap"]["name"] = "absent"


def no_volume(resources):
    container(resources, "StatefulSet", "qdrant")["volumeMounts"][0]["name"] = "absent"


def no_claim(resources):
    resources.remove(resource(resources, "PersistentVolumeClaim", "feedback-erasures"))


def no_pods(resources):
    resource(resources, "Service", "ranker")["spec"]["selector"] = {"app.kubernetes.io/name": "rankers"}


def no_port(resources):
    resource(resources, "Service", "ranker")["spec"]["ports"][0]["targetPort"] = "http"


def not_its_own_pods(resources):
    resource(resources, "Deployment", "jaeger")["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/name": "spans"}


def no_service(resources):
    resource(resources, "StatefulSet", "postgres")["spec"]["serviceName"] = "database"


def another_probe(resources):
    container(resources, "Deployment", "encoder")["livenessProbe"]["grpc"]["port"] = 50050


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (no_account, "Deployment/gateway: there is no ServiceAccount/zhiyin"),
        (no_settings, "Deployment/gateway: there is no ConfigMap/gateway-settings"),
        (no_key, "has no key signing-key"),
        (no_configuration, "Deployment/jaeger: there is no ConfigMap/absent"),
        (no_volume, "StatefulSet/qdrant: there is no volume absent"),
        (no_claim, "Deployment/feedback: there is no PersistentVolumeClaim/feedback-erasures"),
        (no_pods, "Service/ranker: its selector matches no pod"),
        (no_port, "Service/ranker: Deployment/ranker has no port http"),
        (not_its_own_pods, "Deployment/jaeger: its selector does not match its own pods"),
        (no_service, "StatefulSet/postgres: there is no Service/database"),
        (another_probe, "Deployment/encoder: its livenessProbe asks port 50050, which it does not have"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_name_that_leads_nowhere_is_a_problem(installation, harm, problem):
    resources = copy.deepcopy(installation)
    harm(resources)
    assert any(problem in found for found in reference_problems(resources))
