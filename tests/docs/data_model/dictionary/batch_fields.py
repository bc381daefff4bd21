"""The fields of a batch, `cc:<serial>:b:<batch>`."""

from tests.docs.data_model.dictionary.entries import Field

_DELETED = "no longer counted: none yet, or something moved the batch on"

STATE = (
    Field(
        name="st",
        kind="word",
        means="State: `planned`, `ordered`, `fulfilled`, `done`, `held` or `cancelled`.",
        absent="never",
        value="state",
        sample="held",
    ),
    Field(
        name="plan",
        kind="text, one character per recipient",
        means="Whom which channel reaches. The character is `0` plus a mask: bit i is set if the "
        "recipient has an address for the i-th letter of the campaign's `channels`. Its length is "
        "the size of the batch.",
        absent="never",
        value="plan",
        sample="111",
    ),
    Field(
        name="why",
        kind="code",
        means="The code that the batch is held for.",
        absent="unless `st` is `held`",
        value="hold.reason",
        sample="uncertain",
    ),
    Field(
        name="th",
        kind="ms since 1970",
        means="When it was held last; outlasts the hold. A batch that is held as `uncertain` gets "
        "none.",
        absent="never held with a time",
        value="hold.since_ms",
    ),
    Field(
        name="note",
        kind="code",
        means="Why the batch is cancelled, where more is to be said than that the campaign was.",
        absent="unless `st` is `cancelled`, and mostly then",
        value="note",
        sample="reordered",
    ),
    Field(
        name="spare",
        kind="`1`",
        means="Its links came when the campaign was cancelled already, so they are nobody's.",
        absent="otherwise",
        value="spare",
        sample="1",
    ),
    Field(
        name="gone",
        kind="`<index>:<ms>`, joined by blanks",
        means="Who was erased (`forget`), and when, in ms since 1970. It only grows; "
        "but `reorder` parts it between the two batches.",
        absent="nobody was erased",
        value="erased",
        sample="0:7",
    ),
)

LEASE = (
    Field(
        name="turn",
        kind="number",
        means="Dispatch number. A unit carries the number that `pump` gave it, and `claim` takes "
        "it only while it is the same; `claim` raises it too, so no unit is worked twice.",
        absent="never dispatched",
        value="lease.dispatch_number",
    ),
    Field(
        name="tok",
        kind="`<fence>:<worker>/<16 hex digits>`",
        means="Token of the lease: who has the batch in hand. Every verb that a worker calls "
        "compares it, so one that lost its lease changes nothing.",
        absent="nobody has it in hand",
        value="lease.leased",
        sample="3:host-1-ab/00ff",
    ),
    Field(
        name="lu",
        kind="ms since 1970",
        means='"Leased until": when the lease lapses, on the server\'s clock. The score in the '
        "due "
        "index is the same moment.",
        absent="nobody has it in hand",
    ),
    Field(
        name="fence",
        kind="number",
        means="How many leases were ever given; the first part of the next `tok`. Only the verb "
        "uses it.",
        absent="never claimed",
    ),
    Field(
        name="deaths",
        kind="number",
        means="How many workers in a row lost the batch: their leases lapsed. From 2 on it is a "
        "poison batch and runs in quarantine, alone; at 5 it is held as `worker_deaths`. Any "
        "progress removes it. `died` is the list beside this count.",
        absent=_DELETED,
    ),
    Field(
        name="died",
        kind="`<lane><ms>`, joined by blanks",
        means="The deaths one by one: in which lane, and when it was noticed, in ms since 1970. "
        "Unlike `deaths` it stays, so that the timeline tells of it; the first death of a new row "
        "replaces it.",
        absent="no worker ever died of it",
        value="lease.deaths",
        sample="o7",
    ),
    Field(
        name="wake",
        kind="`1`",
        means="Somebody asked for a look while a worker has the batch in hand: when that one "
        "gives it back it is due at once, not after the delay.",
        absent="nobody asked since the lease was given back",
    ),
    Field(
        name="woken",
        kind="`1`",
        means="The rewards API said that the order is complete. For the metrics only: the next "
        "look counts as `webhook`, not as `poll`. `wake` is what makes it due.",
        absent="nothing was said since the last look",
        value="lease.woken",
        sample="1",
    ),
)

ORDER = (
    Field(
        name="po",
        kind="`CC-<campaign id>-<batch, five digits>`",
        means="PO number, stored before the first POST and never replaced.",
        absent="nothing was ordered yet",
        value="order.po_number",
    ),
    Field(
        name="ph",
        kind="hex",
        means="Digest of the content that is ordered under `po`. Another content under the same "
        "PO number is refused (`order_changed`).",
        absent="with `po`",
        value="order.payload_hash",
    ),
    Field(
        name="posts",
        kind="number",
        means="How many POSTs of this order may have left. `order_unsent` takes one back that "
        "certainly did not.",
        absent="nothing was ordered yet",
        value="order.posts",
    ),
    Field(
        name="post",
        kind="nonce",
        means="The POST of which it is not recorded yet what became of it. Outside of a lease it "
        "means: that worker was interrupted, so the order may exist.",
        absent="no POST is open",
        value="order.interrupted",
    ),
    Field(
        name="oid",
        kind="text",
        means="Id of the order at the rewards API.",
        absent="the order is not placed, as far as known",
        value="order.id",
    ),
    Field(
        name="to",
        kind="ms since 1970",
        means="When the first POST was recorded. Retrying a held batch without links sets it "
        "anew.",
        absent="nothing was ordered yet",
        value="order.first_post_ms",
    ),
    Field(
        name="tp",
        kind="ms since 1970",
        means="When the order was known to be placed.",
        absent="with `oid`",
        value="order.placed_ms",
    ),
    Field(
        name="tf",
        kind="ms since 1970",
        means="When the links were stored; from then on link k is recipient k's.",
        absent="there are no links",
        value="fulfilled_ms",
    ),
    Field(
        name="adopt",
        kind="`1`",
        means="An operator said (`retry --held --adopt`) that an order found under our PO number "
        "is ours.",
        absent="otherwise, and once the order is placed",
        value="order.adopt",
        sample="1",
    ),
    Field(
        name="missing",
        kind="number",
        means="How many links the order will not give: it is dead, or short.",
        absent="none, as far as known",
        value="order.missing",
    ),
    Field(
        name="polls",
        kind="number",
        means="Looks in a row that found the order unfinished; later looks wait longer.",
        absent=_DELETED,
        value="order.polls",
    ),
    Field(
        name="polls:at",
        kind="ms since 1970",
        means="When the first of `polls` was. No program reads it: it is for you.",
        absent="with `polls`",
    ),
    Field(
        name="fails",
        kind="number",
        means="Calls of the rewards API in a row that failed; later ones wait longer.",
        absent=_DELETED,
        value="order.fails",
    ),
    Field(
        name="fails:at",
        kind="ms since 1970",
        means="When the first of `fails` was. No program reads it: it is for you.",
        absent="with `fails`",
    ),
    Field(
        name="odd",
        kind="number",
        means="Looks in a row at which the API showed what cannot be, and may still come right.",
        absent=_DELETED,
        value="order.odd",
    ),
    Field(
        name="odd:at",
        kind="ms since 1970",
        means="When the first of `odd` was: doubt that lasts too long holds the batch.",
        absent="with `odd`",
        value="order.odd_since_ms",
    ),
)

REPLACEMENT = (
    Field(
        name="into",
        kind="batch number",
        means="This order was dead: who got no link moved to that batch.",
        absent="the order was not replaced",
        value="replacement.into",
    ),
    Field(
        name="from",
        kind="batch number",
        means="The people of this batch came from that one, whose order was dead.",
        absent="it is as it was submitted",
        value="replacement.origin",
    ),
    Field(
        name="qty",
        kind="number",
        means="For how many people it was ordered, before some moved away; `plan` is shorter.",
        absent="with `into`",
        value="replacement.ordered_for",
    ),
    Field(
        name="dead",
        kind="code",
        means="The code that the batch was held for when its order was given up.",
        absent="with `into`",
        value="replacement.dead",
    ),
    Field(
        name="tr",
        kind="ms since 1970",
        means="When its order was replaced.",
        absent="with `into`",
        value="replacement.at_ms",
    ),
)

BATCH = (*STATE, *LEASE, *ORDER, *REPLACEMENT)
