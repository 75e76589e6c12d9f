"""deploy/kubernetes: what kubectl makes of it, judged by schemas and by the server's settings."""

from __future__ import annotations

import copy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from batonbox_server import config
from batonbox_server.asgi.metrics import REGISTRY
from batonbox_server.asgi.ops import ENDPOINTS
from tests.docs.blocks import blocks_of

from .containerfile import stages

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = ("small", "production")
# The oldest that the documentation names, and the newest whose schemas there are.
VERSIONS: Final = ("1.30", kubernetes_validate.latest_version())
# Of the Prometheus operator: Kubernetes has no schema for it.
FOREIGN: Final = {"ServiceMonitor"}
# What a supervisor waits for beyond its drain; see workers/supervisor.py.
MARGIN_S: Final = 15

Document = dict[str, Any]


def kustomized(folder: Path) -> list[Document]:
    """What would be applied."""
    # A wheel's: Debian 12's is of 2020 and knows no components.
    kubectl = str(Path(sys.executable).parent / "kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", str(folder)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "deprecated" not in done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def applied(request: pytest.FixtureRequest) -> list[Document]:
    """Of each overlay."""
    return kustomized(FOLDER / "overlays" / request.param)


@pytest.fixture(scope="module")
def production() -> list[Document]:
    """Of the one that has everything."""
    return kustomized(FOLDER / "overlays" / "production")


def of_kind(applied: list[Document], kind: str, name: str = "") -> Document:
    """The one there is."""
    (found,) = [
        d for d in applied if d["kind"] == kind and (not name or d["metadata"]["name"] == name)
    ]
    return found


def pod_of(applied: list[Document]) -> Document:
    """The servers' template."""
    pod: Document = of_kind(applied, "Deployment")["spec"]["template"]
    return pod


def server_of(applied: list[Document]) -> Document:
    """Their container."""
    (server,) = pod_of(applied)["spec"]["containers"]
    found: Document = server
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(applied: list[Document], version: str) -> None:
    for document in applied:
        if document["kind"] not in FOREIGN:
            kubernetes_validate.validate(document, version, strict=True)
    wrong = copy.deepcopy(of_kind(applied, "Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRoot"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def unconfined(pod: Document) -> list[str]:
    """What of the `restricted` profile it does not keep to, and of a read-only root."""
    spec = pod["spec"]
    own = spec.get("securityContext", {})
    (server,) = spec["containers"]
    its = server.get("securityContext", {})
    allowed = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "name"}
    kept = {
        "runs as root": own.get("runAsNonRoot") is True and own.get("runAsUser", 0) > 0,
        "seccomp": own.get("seccompProfile") == {"type": "RuntimeDefault"},
        "privileges": its.get("allowPrivilegeEscalation") is False,
        "capabilities": its.get("capabilities") == {"drop": ["ALL"]},
        "root": its.get("readOnlyRootFilesystem") is True,
        "host": not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(),
        "host's ports": all("hostPort" not in port for port in server["ports"]),
        "volumes": all(set(volume) <= allowed for volume in spec["volumes"]),
        "token": spec.get("automountServiceAccountToken") is False,
    }
    return [what for what, holds in kept.items() if not holds]


def test_pods_keep_to_the_restricted_profile(applied: list[Document]) -> None:
    pod = pod_of(applied)
    assert unconfined(pod) == []
    labels = of_kind(applied, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    loose = copy.deepcopy(pod)
    del loose["spec"]["securityContext"], loose["spec"]["automountServiceAccountToken"]
    del loose["spec"]["containers"][0]["securityContext"]
    assert len(unconfined(loose)) == 6
    (user,) = stages(ROOT / "deploy" / "container" / "Containerfile")[-1].last("USER")
    context = pod["spec"]["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user


def test_the_server_takes_the_settings(applied: list[Document], tmp_path: Path) -> None:
    data: dict[str, str] = of_kind(applied, "ConfigMap")["data"]
    (source,) = server_of(applied)["envFrom"]
    assert source["configMapRef"]["name"] == of_kind(applied, "ConfigMap")["metadata"]["name"]
    mounts = {m["name"]: m["mountPath"] for m in server_of(applied)["volumeMounts"]}
    there = tmp_path / "there"
    there.write_text("redis://engine.example.com")
    environment = dict(data)
    for name, value in data.items():
        if name.endswith("_FILE"):  # from the Secret, at its own name
            assert value == f"{mounts['secrets']}/{_setting(name).removesuffix('_file')}"
            environment[name] = str(there)
    settings = config.load(environment)
    # What several servers need together; see docs/workers.md.
    assert settings.media_url.startswith("s3://") and settings.public_url.startswith("https://")
    assert settings.redis_url and settings.archive_url and settings.secrets_key
    assert settings.data_dir == mounts["data"] and settings.secrets_dir == mounts["carriers"]
    (port,) = server_of(applied)["ports"]
    assert port["containerPort"] == settings.port
    # Variables of a Service that is called batonbox would be settings that nobody knows.
    assert pod_of(applied)["spec"]["enableServiceLinks"] is False


def test_it_is_given_time_to_start_and_to_end(applied: list[Document]) -> None:
    settings = config.load(
        {k: v for k, v in of_kind(applied, "ConfigMap")["data"].items() if k.endswith("_S")}
    )
    server = server_of(applied)
    probes = {name: server[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
    paths = {endpoint.path for endpoint in ENDPOINTS}
    for probe in probes.values():
        assert probe["httpGet"]["path"] in paths and probe["httpGet"]["port"] == "http"
        assert probe["timeoutSeconds"] <= 5
    # An engine that is away makes nobody start again: neither while one waits for it nor later.
    assert probes["startup"]["httpGet"]["path"] == probes["liveness"]["httpGet"]["path"] == "/livez"
    assert _seconds(probes["startup"]) > settings.engine_wait_s
    assert _seconds(probes["liveness"]) >= 30
    assert probes["readiness"]["httpGet"]["path"] == "/readyz"
    deadline = of_kind(applied, "Deployment")["spec"]["progressDeadlineSeconds"]
    assert deadline > _seconds(probes["startup"])
    # Nobody new comes by the time it drains, and it is not killed before it has.
    (*words, before_s) = server["lifecycle"]["preStop"]["exec"]["command"]
    assert words == ["sleep"] and int(before_s) >= 3
    grace_s = pod_of(applied)["spec"]["terminationGracePeriodSeconds"]
    assert grace_s >= int(before_s) + settings.drain_s + MARGIN_S


def test_selectors_find_the_servers(applied: list[Document]) -> None:
    labels = pod_of(applied)["metadata"]["labels"].items()
    selectors = [
        of_kind(applied, "Service", "batonbox")["spec"]["selector"],
        of_kind(applied, "Deployment")["spec"]["selector"]["matchLabels"],
        of_kind(applied, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind(applied, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(c["labelSelector"]["matchLabels"] for c in
          pod_of(applied)["spec"]["topologySpreadConstraints"]),
    ]  # fmt: skip
    assert all(selector and selector.items() <= labels for selector in selectors)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert server_of(applied)["image"].endswith(f":{version}")
    # One more before one less, and one at a time when machines are emptied.
    strategy = of_kind(applied, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
    assert of_kind(applied, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_page_shows_how_to_look(production: list[Document]) -> None:
    (shown,) = [
        block.text for block in blocks_of("docs/deploy.md") if block.text.startswith("kubectl kus")
    ]
    done = subprocess.run(
        shown, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert list(yaml.safe_load_all(done.stdout)) == production


def test_what_is_not_named_is_closed(applied: list[Document]) -> None:
    spec = of_kind(applied, "NetworkPolicy")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    assert all(rule.get("ports") for rule in (*spec["ingress"], *spec["egress"]))
    for rule in spec["ingress"]:
        assert rule["from"] and all("namespaceSelector" in peer for peer in rule["from"])
    blocks = [
        peer["ipBlock"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer
    ]
    (inside,) = [set(block["except"]) for block in blocks if block["cidr"] == "0.0.0.0/0"]
    private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
    assert private <= inside  # metadata services of clouds, too


def test_servers_are_counted_by_a_metric_that_they_have(production: list[Document]) -> None:
    spec = of_kind(production, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in of_kind(production, "Deployment")["spec"]
    name = next(m["pods"]["metric"]["name"] for m in spec["metrics"] if m["type"] == "Pods")
    assert name in {family.name for family in REGISTRY.collect()}
    adapter = yaml.safe_load((FOLDER / "components/autoscaling/adapter.yaml").read_text())
    (rule,) = adapter["rules"]
    assert rule["seriesQuery"].startswith(f"{name}{{") and rule["name"]["as"] == name
    # Each one less moves people: never more than one in the time in which they have settled.
    (down,) = spec["behavior"]["scaleDown"]["policies"]
    assert down["value"] == 1 and down["periodSeconds"] >= 60


def test_prometheus_and_the_front_reach_the_servers(production: list[Document]) -> None:
    monitor = of_kind(production, "ServiceMonitor")["spec"]
    service = of_kind(production, "Service", "batonbox")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (port,) = service["spec"]["ports"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] == port["name"]
    assert endpoint["path"] in {each.path for each in ENDPOINTS}
    # The alerts and the dashboard ask for this job.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "batonbox"
    # Two Services share that label only where both have servers behind them.
    closed = of_kind(production, "Service", "batonbox-closed")
    assert "selector" not in closed["spec"] and "labels" not in closed["metadata"]

    ingress = of_kind(production, "Ingress")
    settings = config.Settings()
    told = {k.rpartition("/")[2]: v for k, v in ingress["metadata"]["annotations"].items()}
    silent_s = settings.ping_s + settings.pong_timeout_s
    assert int(told["proxy-read-timeout"]) > silent_s < int(told["proxy-send-timeout"])
    assert int(told["proxy-body-size"].removesuffix("m")) << 20 > settings.media_max_bytes
    (rule,) = ingress["spec"]["rules"]
    behind = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    own = {endpoint.path: "batonbox-closed" for endpoint in ENDPOINTS}
    assert behind == {"/": "batonbox", **own}


def _setting(name: str) -> str:
    return name.removeprefix(config.PREFIX).lower()


def _seconds(probe: Document) -> int:
    return int(probe["periodSeconds"]) * int(probe["failureThreshold"])
