"""Closes runs that a store holds as RUNNING though their process and their spool are gone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow import MlflowClient

from runner.tracking.cursor import list_spools
from runner.tracking.folders import digest_folder
from runner.tracking.liveness import describe_place, has_ended
from runner.tracking.mlflow import PROCESS_TAG, SPOOL_TAG
from runner.tracking.records import KEY_TAG
from runner.tracking.tracker import Status

_GONE = "Its process is gone, and so is what it had spooled; it was closed afterwards.\n"


def close_left_running(
    client: MlflowClient, experiment_ids: Sequence[str], folder: Path
) -> Iterator[str]:
    """Closes such runs of this machine as KILLED, and yields their ids.

    A run whose spool would be in another folder may have it there, and is left to who looks there.

    Args:
        client: A client of the store.
        experiment_ids: The experiments to look at.
        folder: That of the spools; what has one is left to its delivery.
    """
    place = describe_place()
    if place is None or not experiment_ids:
        return
    # Before it is asked: a run whose spool is gone by then has ended in the store.
    spooled = {spool.stem for spool in list_spools(folder)}
    running = client.search_runs(
        list(experiment_ids),
        f"attributes.status = 'RUNNING' AND tags.`{PROCESS_TAG}` LIKE '%{place}'"
        f" AND tags.`{SPOOL_TAG}` = '{digest_folder(folder)}'",
    )
    for run in running:
        tags = run.data.tags
        if tags.get(KEY_TAG) not in spooled and has_ended(tags[PROCESS_TAG]):
            client.log_text(run.info.run_id, _GONE, "error.txt")
            client.set_terminated(run.info.run_id, Status.KILLED.value)
            yield run.info.run_id
