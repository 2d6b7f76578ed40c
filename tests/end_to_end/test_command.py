"""A command over files: `make demo CAMPAIGN=skim`, whose files are all there once, whatever has failed."""

import hashlib
import json
from io import BytesIO

import pytest
import uproot

from demo.bucket import Bucket
from demo_stack import Stack, eventually, kill

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

RUN = "skim/skimmed"


def test_each_file_of_a_command_is_there_once_after_a_kill_and_a_second_run(stack: Stack) -> None:
    def results() -> dict[str, bytes]:
        return {key: stack.output.read(key) for key, _ in stack.output.objects(f"{RUN}/results/")}

    stack.airflow.trigger("skim", "skimmed", {"run_name": "skimmed"})
    kill(eventually(lambda: results() and stack.pods(), "a shard is done, and pods work on others")[0])
    assert stack.finish("skimmed", "skim") == "success"
    first = results()
    lost = next(iter(first))
    stack.output._s3.delete_object(Bucket=stack.output.name, Key=lost)
    output = stack.make("higgsdemo resume skimmed --campaign skim --follow")
    assert f"{len(first)} of {len(first)} shards done" in output
    documents = {key: json.loads(raw) for key, raw in results().items()}
    assert documents.keys() == first.keys()
    assert [key for key in first if json.loads(first[key]) != documents[key]] == [lost]
    given = Bucket(stack.settings, "higgs-demo")
    for document in documents.values():
        content = BytesIO(given.read(document["url"].removeprefix("s3://higgs-demo/")))
        assert uproot.open(content)["Events"].num_entries == document["processed"]
    files = [json.loads(line) for line in stack.output.read(f"{RUN}/files.jsonl").splitlines()]
    urls = [file["url"] for file in files]
    assert stack.output.read(f"{RUN}/files.txt").decode().splitlines() == urls
    assert sorted({url.rpartition("/")[2] for url in urls}) == ["command.log.gz", "skim.root"]
    assert len(set(urls)) == len(urls) == 2 * len(documents)
    entries = 0
    for file in files:
        content = stack.output.read(file["url"].removeprefix("s3://higgs-results/"))
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
        if file["url"].endswith(".root"):
            entries += int(uproot.open(BytesIO(content))["h_pt"].values().sum())
    numbers = json.loads(stack.output.read(f"{RUN}/spectrum.json"))
    assert sum(numbers["channels"]["pt"]["data"]["counts"]) == entries > 1000


def test_a_campaign_that_five_answers_have_made_runs(stack: Stack) -> None:
    stack.make("printf 'answered\\n\\n\\n\\n\\n' | python -m higgsdemo.command_line new")
    eventually(lambda: stack.airflow.has_dag("answered"), "the DAG is parsed")
    done = stack.higgsdemo("run", "-c", "answered", "--max-shards", "1", "--follow", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["run"]
    assert "1 of 1 shards done" in done.stderr
    assert f"Files: s3://higgs-results/answered/{run}/files.txt" in done.stderr
