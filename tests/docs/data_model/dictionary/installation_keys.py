"""Every key of the fleet and of the installation, in the order of the page."""

from tests.docs.data_model.dictionary.entries import Key

_STAYS = "never"

FLEET = (
    Key(
        name="WORKERS",
        pattern="cc:workers",
        kind="sorted set",
        holds="Member: worker (`<host>-<pid>-<6 hex digits>`). Score: its last heartbeat, in s "
        "since 1970.",
        goes="a member when it leaves, or after a minute of silence",
    ),
    Key(
        name="LEASES",
        pattern="cc:leases",
        kind="hash",
        holds="How many leases each worker says it holds; for the metrics only.",
        goes="as `cc:workers`",
    ),
    Key(
        name="QUARANTINE",
        pattern="cc:alone",
        kind="string",
        holds="The worker in quarantine, which alone runs poison batches.",
        goes="by itself (TTL: the lease time), or when there is none left",
    ),
    Key(
        name="PURGER",
        pattern="cc:purger",
        kind="string",
        holds="The worker that purges campaigns which ended long ago; no other does meanwhile.",
        goes="by itself (TTL: 60 s)",
    ),
    Key(
        name="SUBMIT_QUEUE",
        pattern="claimcast",
        kind="sorted set",
        holds="arq's queue that other systems submit campaigns to. Member: job id. Score: when it "
        "may run, in ms since 1970.",
        goes="when it is empty",
        by_arq=True,
    ),
    Key(
        name="worker_queue_key",
        pattern="claimcast:worker:<worker>",
        kind="sorted set",
        holds="arq's queue of one worker, as above; the jobs are `run_units`.",
        goes="when it is empty, or the worker leaves",
        by_arq=True,
    ),
    Key(
        name="worker_health_key",
        pattern="claimcast:worker:<worker>:health",
        kind="string",
        holds="A line of arq about the jobs of the submit queue. Nobody here reads it.",
        goes="by itself, or when the worker ends",
        by_arq=True,
    ),
)

INSTALLATION = (
    Key(
        name="KEYRING",
        pattern="cc:keys",
        kind="hash",
        holds="The digest key, the rings of keys, and the format of all that is stored.",
        sealed="`digest` is sealed",
        goes=_STAYS,
    ),
    Key(
        name="LIVE_PROCESSES",
        pattern="cc:keys:live",
        kind="hash",
        holds="Processes that live, so that `rekey` takes no key away that one still seals with.",
        goes="when the last one leaves",
    ),
    Key(
        name="AUDIT",
        pattern="cc:audit",
        kind="list",
        holds="The audit trail, oldest entry first.",
        goes=_STAYS,
    ),
    Key(
        name="AUDIT_COUNT",
        pattern="cc:audit:count",
        kind="string",
        holds="How many entries were ever appended, so that those taken from the end are missed.",
        goes=_STAYS,
    ),
    Key(
        name="links_index_key",
        pattern="cc:links:<bucket>",
        kind="hash",
        holds="Digest of every link that ever came to its batch. 4096 buckets.",
        goes=_STAYS,
    ),
    Key(
        name="suppressed_key",
        pattern="cc:suppressed:<bucket>",
        kind="hash",
        holds="Suppression list: digest of channel and address to the reason. 1024 buckets.",
        goes="a field with `claimcast suppress remove`",
    ),
    Key(
        name="ALERTS",
        pattern="cc:alerts",
        kind="hash",
        holds="Alerts, and how far each is.",
        goes="a field when the end of the alert was told",
    ),
    Key(
        name="ALERTS_CHECKED",
        pattern="cc:alerts:turn",
        kind="string",
        holds="`1` while a worker's look at the alerts is fresh enough for the whole fleet.",
        goes="by itself (TTL: some seconds)",
    ),
    Key(
        name="LIMITS",
        pattern="cc:limits",
        kind="hash",
        holds="Rates that were set at run time.",
        goes="when none is set",
    ),
    Key(
        name="limiter_key",
        pattern="cc:gcra:<limiter>",
        kind="hash",
        holds="State of one rate limiter: `orders`, `reads`, `email`, `sms`, `webhook`, "
        "`orders:new`, or `<serial>:<channel>` for a limit of one campaign.",
        goes="by itself, a second after it has nothing to say (TTL)",
    ),
    Key(
        name="breaker_key",
        pattern="cc:breaker:<channel>",
        kind="hash",
        holds="Failures of a provider in a row.",
        goes="with the first success, or an hour after the last silence (TTL)",
    ),
    Key(
        name="STATS",
        pattern="cc:stats",
        kind="hash",
        holds="What all workers ever counted, for the metrics.",
        goes=_STAYS,
    ),
    Key(
        name="token_key",
        pattern="cc:rewards:<account>:token",
        kind="string",
        holds="The fleet's token of the rewards API: JSON with `value`, `fresh_until` and "
        "`usable_until` (s since 1970). `<account>` is 16 hex digits, a digest of the API's "
        "address and our e-mail there.",
        sealed="sealed",
        goes="by itself when it has lapsed (TTL), or when the API refuses it",
    ),
    Key(
        name="token_lock_key",
        pattern="cc:rewards:<account>:token-lock",
        kind="string",
        holds="Nonce of the worker that fetches a token; of nobody while nobody is to ask.",
        goes="by itself (TTL: 1 to 5 s, renewed while the worker fetches)",
    ),
    Key(
        name="token_refusals_key",
        pattern="cc:rewards:<account>:token-refusals",
        kind="string",
        holds="How many tokens were refused in a row.",
        goes="with the first token that is not, or an hour after the last (TTL)",
    ),
    Key(
        name="products_key",
        pattern="cc:rewards:<account>:products",
        kind="string",
        holds="The products of the account, as the API listed them: JSON.",
        goes="by itself (TTL: 7 days)",
    ),
)
