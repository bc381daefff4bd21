"""What of a job rests in Redis."""

from arq.jobs import deserialize_result, serialize_job, serialize_result

from worker.executor.serializer import dump_job, load_job

ARGUMENTS = ({"recipients": [{"email": "zoe@example.com"}]},)


def test_a_result_keeps_no_argument_of_its_job() -> None:
    kept = serialize_result(
        "submit_campaign",
        ARGUMENTS,
        {"to": "li@example.com"},
        1,
        0,
        True,  # noqa: FBT003 - arq's signature
        {"campaign": "c"},
        0,
        0,
        "reference",
        "queue",
        "job-1",
        serializer=dump_job,
    )
    assert kept is not None
    assert b"example.com" not in kept
    assert deserialize_result(kept, deserializer=load_job).result == {"campaign": "c"}


def test_a_job_keeps_its_arguments_until_it_is_taken_in() -> None:
    kept = serialize_job("submit_campaign", ARGUMENTS, {}, 1, 0, serializer=dump_job)
    assert load_job(kept)["a"] == list(ARGUMENTS)
