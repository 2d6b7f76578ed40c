"""What is left over is found by its labels and removed; what is in use, or a stranger's, stays."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_variables import Variables
from clouds.amazon import REGION, Amazon
from clouds.tasks import to_its_end
from higgsdemo.campaign import parse_campaign
from higgsdemo.clusters import Phase, leftovers, provider_of
from higgsdemo.clusters.leftovers import Leftover, _place
from higgsdemo.operators.created import PREFIX, note, read_notes
from higgsdemo.operators.janitor import FindLeftoversOperator, RemoveLeftoverOperator
from higgsdemo.operators.kept import keep, kept
from higgsdemo.run import ClusterRun
from localkube_server import Kube, Server, localkube, shell_space
from planned_runs import ALONE, EKS, planned

MAPPING = [{"name": "ours-0", "datasets": ["Simulated_TTbar_8TeV"]}]
DOCUMENT = {
    "catalogue": "demo",
    "storage": {"input": "s3://higgs-demo", "output": "s3://higgs-results", "connection": "higgs_s3"},
    "defaults": {"provider": "local", "flavor": "local-1", "resources": {"cpu": "0.9", "memory": "1Gi"}},
    "mapping": MAPPING,
}
SPACES = {"ours": "higgs", "other": "theirs"}
CAMPAIGNS = {
    name: parse_campaign(DOCUMENT | {"namespace": space}, f"{name}.json") for name, space in SPACES.items()
}
PART = {"part-of": "higgsdemo"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with localkube(tmp_path) as server:
        document = {
            "conn_type": "http",
            "host": "https://127.0.0.1",
            "port": server.port,
            "password": (server.state / "admin.token").read_text(),
            "extra": {"ca": str(server.state / "ca.crt")},
        }
        monkeypatch.setenv("AIRFLOW_CONN_LOCALKUBE_DEFAULT", json.dumps(document))
        yield server


@pytest.fixture
def clusters(server: Server) -> dict[str, Kube]:
    """Two clusters of campaigns, one of a campaign nobody knows, and a stranger's."""
    marks = {
        "ours-0": PART | {"campaign": "ours"},
        "other-0": PART | {"campaign": "other"},
        "gone-0": PART | {"campaign": "gone"},
        "strange": {"campaign": "ours"},
    }
    made = {name: server.create_cluster(name, labels=labels) for name, labels in marks.items()}
    for name, space in SPACES.items():
        made[f"{name}-0"].core.create_namespace({"metadata": {"name": space}})
    return made


def leave(kube: Kube, name: str, campaign: str, suspend: bool = True, **labels: str) -> None:
    marks = {"app.kubernetes.io/part-of": "higgsdemo", "higgsdemo/campaign": campaign, "higgsdemo/run": "r1"}
    space = shell_space(kube, SPACES[campaign], name)
    job = space.indexed_job("true", 1, suspend=suspend, parallelism=0)  # it does not end
    job["metadata"]["labels"] = marks | labels
    space.make(job)


def context(running: tuple[str, ...] = (), remove: bool = False) -> Any:
    """Return the context of a task in an Airflow where these campaigns have a run that goes on."""
    ti = SimpleNamespace(
        get_task_states=ALONE.get_task_states,
        get_dr_count=lambda dag_id, states: int(dag_id in running),
        map_index=0,
        xcom_pull=lambda **_: None,
    )
    return {"ti": ti, "params": {"remove": remove}, "dag_run": SimpleNamespace(conf={}, dag_id="janitor")}


def found(running: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return FindLeftoversOperator(task_id="look", campaigns=CAMPAIGNS).execute(context(running))


def removed(leftover: dict[str, Any], context: Any) -> Any:
    return to_its_end(lambda: RemoveLeftoverOperator(task_id="remove", leftover=leftover), context)


def told(leftovers: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return sorted((one["kind"], one["cluster"], one["run"]) for one in leftovers)


def names(server: Server) -> set[str]:
    with server.admin() as admin:
        items = admin.get("clusters").json()["items"]
    return {item["name"] for item in items if item["phase"] != "Deleting"}


def test_only_what_no_run_uses_is_left_over(clusters: dict[str, Kube]) -> None:
    leave(clusters["ours-0"], "one", "ours")
    leave(clusters["other-0"], "two", "other")
    leave(clusters["other-0"], "strange", "other", **{"app.kubernetes.io/part-of": "somebody"})
    assert told(found()) == [
        ("cluster", "other-0", None),
        ("cluster", "ours-0", None),
        ("objects", "other-0", "r1"),
        ("objects", "ours-0", "r1"),
    ]
    assert told(found(running=("other",))) == [("cluster", "ours-0", None), ("objects", "ours-0", "r1")]


def test_nothing_is_removed_unless_it_is_asked_for(clusters: dict[str, Kube], server: Server) -> None:
    before = names(server)
    for leftover in found():
        with pytest.raises(AirflowSkipException, match="trigger with remove"):
            removed(leftover, context())
    assert names(server) == before


def test_what_a_run_has_taken_up_meanwhile_stays(clusters: dict[str, Kube], server: Server) -> None:
    leave(clusters["ours-0"], "three", "ours")
    leave(clusters["other-0"], "four", "other")
    left = sorted(found(), key=lambda leftover: str(leftover["kind"]), reverse=True)
    for leftover in left:
        now = context(running=("other",), remove=True)
        if leftover["campaign"] == "ours":
            assert removed(leftover, now) == {"cluster_name": "ours-0"}
        else:
            with pytest.raises(AirflowSkipException, match="in use by now"):
                removed(leftover, now)
    assert names(server) == {"other-0", "gone-0", "strange"}
    assert clusters["other-0"].batch.read_namespaced_job("four", "theirs").metadata.name == "four"


@pytest.mark.parametrize("begins", [False, True])
def test_a_cluster_goes_with_jobs_that_nobody_waits_for_but_not_with_those_of_a_run_that_has_begun_since(
    clusters: dict[str, Kube], server: Server, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    def then_begin(leftover: Leftover) -> bool:
        done = remove(leftover)
        if begins:
            leave(clusters["ours-0"], "new", "ours", suspend=False, **{"higgsdemo/run": "r2"})
        return done

    remove = leftovers.remove_objects
    monkeypatch.setattr(leftovers, "remove_objects", then_begin)
    leave(clusters["ours-0"], "old", "ours", suspend=False)
    leftover = next(one for one in found(running=("other",)) if one["kind"] == "cluster")
    if begins:
        with pytest.raises(AirflowSkipException, match="cluster ours-0 stays: the run r2 of ours uses it"):
            removed(leftover, context(remove=True))
    else:
        assert removed(leftover, context(remove=True)) == {"cluster_name": "ours-0"}
    assert ("ours-0" in names(server)) is begins


def test_what_only_a_conf_named_is_found_though_its_file_is_gone(
    server: Server, variables: Variables, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its record, which another version of the project has made, and another record is spoilt."""
    server.create_cluster("conf-0", labels=PART | {"campaign": "vanished", "airflow": "tests"})
    server.create_cluster("theirs-0", labels=PART | {"campaign": "vanished", "airflow": "theirs"})
    at = planned({"campaign": "vanished", "airflow": "tests"}, {"name": "conf-0"})
    note(at)
    (key,) = variables.keys(PREFIX)
    variables[key] = json.dumps(json.loads(variables[key]) | {"new": "of a later version"})
    variables[f"{PREFIX}spoilt"] = "{"
    keep(CAMPAIGNS["ours"], "vanished", "one")
    assert found(running=("vanished",)) == []  # its run goes on
    assert [dag_id for dag_id, _ in kept()] == ["vanished"]
    (leftover,) = found()
    assert kept() == []
    assert (leftover["cluster"], leftover["at"]["run"]["campaign"]) == ("conf-0", "vanished")
    assert removed(leftover, context(remove=True)) == {"cluster_name": "conf-0"}
    assert names(server) == {"theirs-0"}
    assert read_notes(print) == []
    assert f"the Variable {PREFIX}spoilt records a cluster, and cannot be read" in capsys.readouterr().out


def test_a_cluster_that_waits_for_its_submit_is_left_over_after_a_day(
    clusters: dict[str, Kube], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(clusters["other-0"], "six", "other")
    for kept_for, stages, left in (
        (timedelta(days=1), ("create", "prepare"), ["ours-0"]),
        (timedelta(days=1), ("create", "submit"), ["other-0", "other-0", "ours-0"]),
        (timedelta(), ("create", "prepare"), ["other-0", "other-0", "ours-0"]),
    ):
        monkeypatch.setattr("higgsdemo.operators.created.KEPT_PREPARED", kept_for)
        note(planned({"campaign": "other", "stages": stages}, {"name": "other-0", "namespace": "theirs"}))
        assert sorted(one["cluster"] for one in found()) == left


def test_each_project_of_a_connection_is_a_place_to_look() -> None:
    projects = ("project-1", "project-2", "project-2")
    gke = [planned({}, {"provider": "gke", "gke": {"project": project}}) for project in projects]
    assert {_place(one)[-1] for one in gke} == set(projects)
    assert len(set(map(_place, gke))) == 2


def test_objects_of_a_cluster_that_is_gone_are_no_more_to_be_removed(clusters: dict[str, Kube]) -> None:
    leave(clusters["ours-0"], "five", "ours")
    cluster, objects = sorted(found(running=("other",)), key=lambda leftover: str(leftover["kind"]))
    removed(cluster, context(remove=True))
    with pytest.raises(AirflowSkipException, match="gone, or going, with the cluster"):
        removed(objects, context(remove=True))


@pytest.mark.parametrize("location", [REGION, None])
def test_a_cluster_that_goes_in_steps_is_gone_when_it_is_told_to_be_removed(
    amazon: Amazon, location: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in its connection's region, named or not, beside one that only others may see.

    Another of its name is in a region that no file has.
    """
    at: dict[str, Any] = {"provider": "eks", "connection": "amazon", "flavor": "m5.large", "eks": EKS}
    at |= {"location": location} if location else {}

    def run(*stages: str) -> list[ClusterRun]:
        """Return the same run in both regions."""
        run = {"campaign": "ours", "cleanup": "clusters", "stages": stages}
        return [planned(run, {"name": "ours-0", **at, **more}) for more in ({}, {"location": "eu-central-1"})]

    campaigns = {"ours": parse_campaign(DOCUMENT | {"mapping": [MAPPING[0] | at]}, "ours.json")}
    look = FindLeftoversOperator(task_id="look", campaigns=campaigns)
    others = {"name": "hidden", "roleArn": EKS["cluster_role"]}
    amazon.client("eks").create_cluster(**others, resourcesVpcConfig={"subnetIds": EKS["subnets"]})
    amazon.hidden = "/clusters/hidden"
    for one in run("create", "prepare"):
        note(one)
        provider_of(one).create()  # and nobody waits for it, or for its nodes
    assert look.execute(context()) == []
    for one in run("create", "submit"):
        note(one)
    left = look.execute(context())
    assert [leftover["at"]["cluster"]["location"] for leftover in left] == [location, "eu-central-1"]
    assert "cluster ours-0 in eu-central-1 of the campaign ours: left over" in capsys.readouterr().out
    for leftover in left:
        assert removed(leftover, context(remove=True)) == {"cluster_name": "ours-0"}
    assert [provider_of(one).state().phase for one in run()] == [Phase.ABSENT, Phase.ABSENT]
    assert read_notes(print) == []
