"""Follow a run by the API of the campaign's page in Airflow."""

import time
from collections.abc import Callable, Iterator

from higgsdemo.command_line.airflow_api import FINISHED, Airflow, AirflowAwayError, AirflowError
from higgsdemo.command_line.view import State, View

Check = Callable[[], None]

_LOOK_SECONDS = 1.0
_UNREADABLE_SECONDS = 30.0  # seconds after which a finished run whose folder cannot be read is given up

_AWAY_SECONDS = 120.0  # seconds that Airflow may not answer; a killed one is back in about 10


class Watched:
    """One run of a campaign, by default the latest; raises AirflowError when there is none."""

    def __init__(self, airflow: Airflow, dag_id: str, run_id: str | None) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        runs = [] if run_id else airflow.campaign(dag_id)["runs"]
        if not run_id and not runs:
            raise AirflowError(f"{dag_id} has not run yet")
        self._run_id = run_id or str(runs[0]["run_id"])

    def look(self) -> State:
        """Return the run as it is now, as far as the server has read its results."""
        return self._airflow.campaign_run(self._dag_id, self._run_id)

    def look_whole(self) -> State:
        """Return the run once the server has read all existing results."""
        while True:
            state = self.look()
            if state["reading"]["complete"] or state["reading"]["error"] or not state["clusters"]:
                return state
            time.sleep(0.2)

    def follow(self, check: Check = lambda: None) -> Iterator[State]:
        """Yield the run again and again until it has ended and is read completely, or cannot be.

        :param check: called while Airflow is away.
        :raises AirflowAwayError: when it is away for too long.
        """
        answered = readable = time.monotonic()
        while True:
            try:
                state = self.look()
            except AirflowAwayError as error:
                check()
                if time.monotonic() - answered > _AWAY_SECONDS:
                    raise AirflowAwayError(f"{error}; given up after {_AWAY_SECONDS:.0f} s") from error
            else:
                answered = time.monotonic()
                yield state
                ended, reading = state["run"]["state"] in FINISHED, state["reading"]
                if not ended or not reading["error"]:
                    readable = answered
                given_up = answered - readable > _UNREADABLE_SECONDS
                if ended and (reading["complete"] or not state["clusters"] or given_up):
                    return
            time.sleep(_LOOK_SECONDS)


def show_live(watched: Watched, view: View) -> State:
    """Show the run until it ends; return its last state."""
    state: State = {}
    with view:
        for state in watched.follow():
            view.show(state)
        if error := state["reading"]["error"]:
            view.say(error)
        view.say(f"run {state['run']['run_id']}: {state['run']['state']}")
    return state
