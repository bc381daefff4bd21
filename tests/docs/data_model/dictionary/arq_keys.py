"""What arq keeps under keys of its own, as we use it."""

from tests.docs.data_model.dictionary.entries import Key

ARQ = (
    Key(
        name="job_key_prefix",
        pattern="arq:job:<job id>",
        kind="string",
        holds="The job as JSON: `f` function, `a` arguments, `k` keyword arguments, `t` try, `et` "
        "when it was enqueued, in ms since 1970.",
        goes="when the job has ended, or by itself (TTL)",
    ),
    Key(
        name="in_progress_key_prefix",
        pattern="arq:in-progress:<job id>",
        kind="string",
        holds="`1` while the job runs somewhere.",
        goes="when it has ended, or by itself (TTL)",
    ),
    Key(
        name="retry_key_prefix",
        pattern="arq:retry:<job id>",
        kind="string",
        holds="How often the job was started.",
        goes="when it has ended, or by itself (TTL)",
    ),
    Key(
        name="result_key_prefix",
        pattern="arq:result:<job id>",
        kind="string",
        holds="The result of a `submit_campaign`, as JSON: as above, with `s` success, `r` what "
        "was returned, `st` and `ft` when it began and ended. The arguments are left out. "
        "`run_units` leaves none.",
        goes="by itself (TTL: 1 h)",
    ),
    Key(
        name="health_check_key_suffix",
        pattern="claimcast:worker:<worker>:health-check",
        kind="string",
        holds="A line of arq about the jobs of the worker's own queue. Nobody here reads it.",
        goes="by itself (TTL), or when the worker ends",
    ),
)
"""`name` is what the key is made with in `arq.constants`."""


def markdown() -> str:
    """Return the table of them."""
    head = ["| key | type | holds | goes away |", "|---|---|---|---|"]
    rows = [f"| `{each.pattern}` | {each.kind} | {each.holds} | {each.goes} |" for each in ARQ]
    return "\n".join([*head, *rows])
