"""Sidecars: init containers that restart always and run beside the main containers of a pod.

The authority: kubernetes.io/docs/concepts/workloads/pods/sidecar-containers, and Pod lifecycle.
"""

from typing import Any

import pytest

from kubectl_command import Kubectl
from space import Manifest, Space, conditions, soon

SHARED = [{"name": "d", "mountPath": "/data"}]
PRELUDE = """
import os, signal, sys, time
def there(name): return os.path.exists('/data/' + name)
def make(name): open('/data/' + name, 'w').close()
def wait_for(name):
    while not there(name): time.sleep(0.05)
def on_term(act): signal.signal(signal.SIGTERM, lambda *_: os._exit(act()))
"""
AFTER_MAIN = "on_term(lambda: 7 if there('ended') else 8); make('up'); time.sleep(600)"


def with_sidecar(space: Space, sidecar: str, *then: Manifest) -> Manifest:
    """Return what a pod needs for a sidecar, the init containers `then` after it, and a folder of all."""
    beside = space.container(PRELUDE + sidecar, name="beside", restartPolicy="Always", volumeMounts=SHARED)
    more = {"container": {"volumeMounts": SHARED}, "terminationGracePeriodSeconds": 60}
    return {"initContainers": [beside, *then], "volumes": [{"name": "d", "emptyDir": {}}], **more}


def beside(pod: Any) -> Any:
    return pod.status.init_container_statuses[0]


def test_it_starts_first_holds_nobody_up_and_is_asked_to_end_last(space: Space) -> None:
    """Sidecars: what follows waits for its start alone, and its end does not decide on the pod."""
    then = space.container(f"{PRELUDE}wait_for('up'); make('then')", name="then", volumeMounts=SHARED)
    main = f"{PRELUDE}print('after init:', there('then')); time.sleep(1); make('ended')"
    pod = space.run_pod(space.pod(main, **with_sidecar(space, AFTER_MAIN, then)))
    assert (space.log(container="main"), pod.status.phase) == ("after init: True\n", "Succeeded")
    assert (beside(pod).state.terminated.exit_code, beside(pod).restart_count) == (7, 0)


def test_one_that_ends_is_started_again_while_the_others_run(space: Space) -> None:
    """Sidecars: their restart policy is their own, whatever the pod's."""
    script = (
        "on_term(lambda: 0)\nif not there('once'): make('once'); sys.exit(3)\nmake('twice'); time.sleep(600)"
    )
    pod = space.run_pod(space.pod(f"{PRELUDE}wait_for('twice')", **with_sidecar(space, script)))
    assert (pod.status.phase, beside(pod).restart_count) == ("Succeeded", 1)
    assert beside(pod).last_state.terminated.exit_code == 3


def test_it_is_ready_and_outlives_the_main_container_of_a_pod_that_is_deleted(
    space: Space, kubectl: Kubectl
) -> None:
    """Pod termination with sidecar containers: SIGTERM comes to them when the main containers have ended."""
    end = "def end(): time.sleep(1); make('ended'); return 1"
    main = f"{PRELUDE}{end}\non_term(end); wait_for('up'); print('up', flush=True); time.sleep(600)"
    body = space.pod(main, **with_sidecar(space, AFTER_MAIN))
    body["metadata"]["finalizers"] = ["example.org/kept-to-be-looked-at"]
    space.make(body)
    try:
        space.running_pod()
        soon(lambda: "up" in space.log(container="main"))
        soon(lambda: {"Initialized", "Ready"} <= {kind for kind, _ in conditions(space.pod_now().status)})
        assert (beside(space.pod_now()).started, beside(space.pod_now()).ready) == (True, True)
        assert " 2/2 " in kubectl("get", "pod", space.test)
        space.kube.core.delete_namespaced_pod(space.test, space.namespace)
        pod = space.ended_pod()
        assert (pod.status.phase, beside(pod).state.terminated.exit_code) == ("Failed", 7)
    finally:
        space.kube.core.patch_namespaced_pod(space.test, space.namespace, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(("container", "tried"), [("main", 1), ("beside", 1), ("then", 2)])
def test_exit_codes_of_all_containers_count_for_a_pod_failure_policy(
    space: Space, container: str, tried: int
) -> None:
    """Pod failure policy: once a pod has failed, `onExitCodes` looks at main and init containers."""
    codes = {"containerName": container, "operator": "In", "values": [7]}
    policy = {"rules": [{"action": "FailIndex", "onExitCodes": codes}]}
    pod = with_sidecar(
        space, "on_term(lambda: 7); make('up'); time.sleep(600)", space.container("", name="then")
    )
    main = f"{PRELUDE}wait_for('up'); sys.exit(7)"
    job = space.indexed_job(main, 1, podFailurePolicy=policy, backoffLimitPerIndex=1, pod=pod)
    status = space.run_job(job)
    assert (status.failed_indexes, status.failed) == ("0", tried)
