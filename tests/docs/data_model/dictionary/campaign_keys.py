"""Every key of a batch, of a campaign and of all campaigns, in the order of the page."""

from tests.docs.data_model.dictionary.entries import Key

_PURGE = "with a purge"
_STAYS = "never"
_SUBMIT = "never, once committed; what an unfinished submit left is swept"

ONE_BATCH = (
    Key(
        name="batch_key",
        pattern="cc:<serial>:b:<batch>",
        kind="hash",
        holds="State, order and lease of a batch.",
        goes=_SUBMIT,
    ),
    Key(
        name="ledger_key",
        pattern="cc:<serial>:d:<batch>",
        kind="hash",
        holds="The ledger: index of a recipient to the record of their deliveries.",
        goes=_STAYS,
    ),
    Key(
        name="earlier_key",
        pattern="cc:<serial>:g:<batch>",
        kind="hash",
        holds="Index to the records as they stood when they were resent: late bounces go here. "
        "Not counted.",
        goes=_STAYS,
    ),
    Key(
        name="resends_key",
        pattern="cc:<serial>:a:<batch>",
        kind="hash",
        holds="Index to the resends of a recipient, with the addresses that they went to.",
        sealed="sealed, each field",
        goes=f"{_PURGE}; a field when that person is erased",
    ),
    Key(
        name="recipients_key",
        pattern="cc:<serial>:r:<batch>",
        kind="string",
        holds="The recipients of a batch.",
        sealed="sealed",
        goes=_PURGE,
    ),
    Key(
        name="links_key",
        pattern="cc:<serial>:k:<batch>",
        kind="string",
        holds="The links of a batch, in its recipients' order.",
        sealed="sealed",
        goes=_PURGE,
    ),
    Key(
        name="evidence_key",
        pattern="cc:<serial>:raw:<batch>",
        kind="string",
        holds="The raw answer of the rewards API that the batch is held for.",
        sealed="sealed",
        goes=f"once links are stored, when anybody of the batch is erased, and {_PURGE}",
    ),
)

ONE_CAMPAIGN = (
    Key(
        name="campaign_key",
        pattern="cc:<serial>",
        kind="hash",
        holds="Flags and counters of a campaign.",
        goes=_STAYS,
    ),
    Key(
        name="definition_key",
        pattern="cc:<serial>:def",
        kind="string",
        holds="The definition that counts now: the campaign file, as JSON.",
        sealed="sealed",
        goes=_STAYS,
    ),
    Key(
        name="earlier_definition_key",
        pattern="cc:<serial>:def:<version>",
        kind="string",
        holds="A definition that an edit replaced.",
        sealed="sealed",
        goes=_STAYS,
    ),
    Key(
        name="lookup_key",
        pattern="cc:<serial>:x:<bucket>",
        kind="hash",
        holds="Digest of a recipient's id to their position.",
        goes=_SUBMIT,
    ),
    Key(
        name="due_key",
        pattern="cc:<serial>:due:<lane>",
        kind="sorted set",
        holds="Due index of one lane. Member: batch number. Score: when somebody must look at it, "
        "in ms since 1970; for one in hand, when its lease lapses. An unfinished batch stands in "
        "exactly one of the four.",
        goes="when the last batch leaves it",
    ),
    Key(
        name="begun_key",
        pattern="cc:<serial>:begun",
        kind="set",
        holds="Numbers of batches that are in hand, or whose order may have been placed though no "
        "answer says so. `pump` hands these out first.",
        goes="when the last batch leaves it",
    ),
)

ALL_CAMPAIGNS = (
    Key(
        name="IDS",
        pattern="cc:ids",
        kind="hash",
        holds="Id of every committed campaign to its serial.",
        goes=_STAYS,
    ),
    Key(
        name="SERIAL",
        pattern="cc:serial",
        kind="string",
        holds="The last serial that was given, also to a submit that came to nothing.",
        goes=_STAYS,
    ),
    Key(
        name="STAGING",
        pattern="cc:staging",
        kind="hash",
        holds="Campaigns that are being submitted.",
        goes="when nobody submits",
    ),
    Key(
        name="DISCARDED",
        pattern="cc:discarded",
        kind="set",
        holds="Serials of dead submits, until all their keys are deleted.",
        goes="when all are",
    ),
    Key(
        name="ACTIVE",
        pattern="cc:active",
        kind="sorted set",
        holds="Campaigns with unfinished work. Member: serial. Score: the `cc:turn` at which it "
        "was served last (0: never), so the one that waited longest comes first.",
        goes="when nothing is left to do",
    ),
    Key(
        name="SERVED",
        pattern="cc:turn",
        kind="string",
        holds="Counter behind the scores of `cc:active`. Not the `turn` of a batch.",
        goes=_STAYS,
    ),
)
