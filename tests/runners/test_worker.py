import json
import subprocess
import sys

from unitscope.runners.base import Job


def test_a_worker_stops_when_its_input_ends(tmp_path):
    # A folder without work is no reason to linger: opening it fails at once, with a message of ours.
    done = subprocess.run(
        [sys.executable, "-m", "unitscope.runners.worker", str(tmp_path)],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "work.json" in done.stderr


def test_a_job_is_plain_json():
    job = Job("units", "trained", 2)
    assert Job(**json.loads(json.dumps(job.to_json()))) == job
