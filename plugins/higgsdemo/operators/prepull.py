"""``prepull_image``: the run's image on every node before the first pod needs it."""

from typing import Any

from airflow.sdk import Context

from higgsdemo import tasks
from higgsdemo.clusters import connect, provider_of
from higgsdemo.operators.base import check, end_of, fail_in_words, read_assignment
from higgsdemo.operators.waiting import WaitingOperator


class PrepullImageOperator(WaitingOperator):
    """Run a DaemonSet whose init container is the image, and wait until it is ready on every node."""

    stage = tasks.PREPULL.stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or adopt the DaemonSet; defer until it is ready."""
        from higgsdemo.kubernetes import jobs
        from higgsdemo.triggers.prepull import PrepullTrigger

        assignment = self.begin(context)
        with fail_in_words():
            cluster, manifest = connect(assignment), jobs.prepull(assignment)
            cluster.ensure_namespace()
            cluster.apply(manifest)
            poll_seconds = provider_of(assignment).poll_seconds
        name, deadline = manifest["metadata"]["name"], end_of(assignment, context)
        return self.wait(PrepullTrigger(self.assignment, poll_seconds, deadline, name), context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        nodes = check(event)["nodes"]
        assignment = read_assignment(self.assignment)
        self.log.info("%s is on %d nodes of %s", assignment.run.image, nodes, assignment.cluster.name)
        return {"cluster_name": assignment.cluster.name, "nodes": nodes}
