"""The fields of a campaign, `cc:<serial>`."""

from tests.docs.data_model.dictionary.entries import Field

_STAGING = ("pipeline/store/staging.py",)
_NEVER = "never, once committed"
_ZERO = "nothing was counted yet; 0 means the same"

FIXED = (
    Field(
        name="id",
        kind="text",
        means="The campaign's own id, as in its file.",
        absent=_NEVER,
        value="campaign_id",
    ),
    Field(
        name="n",
        kind="number",
        means="How many recipients it has.",
        absent=_NEVER,
        value="recipients",
        python=_STAGING,
    ),
    Field(
        name="nb",
        kind="number",
        means="How many batches it has; replacing a dead order adds one. They are numbered from "
        "1.",
        absent=_NEVER,
        value="batch_count",
        python=_STAGING,
    ),
    Field(
        name="bs",
        kind="number",
        means="Recipients per batch, by which a position is divided: batch = position / `bs` + 1, "
        "index = the rest.",
        absent=_NEVER,
        value="batch_size",
        python=_STAGING,
    ),
    Field(
        name="xb",
        kind="number",
        means="Over how many hashes `cc:<serial>:x:<bucket>` its look-up is spread.",
        absent=_NEVER,
        value="lookup_buckets",
        python=_STAGING,
    ),
    Field(
        name="content",
        kind="hex",
        means="Digest of all recipients in their order: the same file submitted again is no "
        "change.",
        absent=_NEVER,
        value="content",
        python=_STAGING,
    ),
    Field(
        name="channels",
        kind="channel letters",
        means="The channels, in order of preference; `es` is e-mail, then SMS.",
        absent=_NEVER,
        value="channels",
        sample="es",
        python=_STAGING,
    ),
    Field(
        name="mode",
        kind="`first` or `all`",
        means="Whether one channel after the other is tried, or all of them at once.",
        absent=_NEVER,
        value="mode",
        sample="all",
        python=_STAGING,
    ),
    Field(
        name="resend",
        kind="channel letters",
        means="The channels whose uncertain messages are sent again by themselves "
        '(`on_uncertain = "resend"`).',
        absent="never; empty for none",
        python=_STAGING,
    ),
)

COURSE = (
    Field(
        name="sub",
        kind="ms since 1970",
        means="When it was committed.",
        absent=_NEVER,
        value="submitted_ms",
    ),
    Field(
        name="t0",
        kind="ms since 1970",
        means="Epoch of its ledger: times in records count from here. The same moment as `sub`.",
        absent=_NEVER,
        value="epoch_ms",
    ),
    Field(
        name="start",
        kind="ms since 1970",
        means="When it is to start; 0 for at once.",
        absent=_NEVER,
        value="starts_ms",
    ),
    Field(
        name="pau",
        kind="`1`",
        means="Paused: nothing is started.",
        absent="not paused",
        value="paused",
        sample="1",
    ),
    Field(
        name="can",
        kind="ms since 1970",
        means="When it was cancelled; for good.",
        absent="not cancelled",
        value="cancelled",
    ),
    Field(
        name="fin",
        kind="ms since 1970",
        means="When the last of its batches came to its end. A retry, a resend or a replaced "
        "order takes it away again.",
        absent="there is work left",
        value="finished_ms",
    ),
    Field(
        name="purging",
        kind="ms since 1970",
        means="When the removal of people and links began; nothing is sent any more. It stays.",
        absent="never purged",
        value="purging_since_ms",
    ),
    Field(
        name="purging:to",
        kind="batch number",
        means="Up to which batch people and links are removed: a purge that was killed goes on "
        "there.",
        absent="no purge is under way",
        value="purged_batches",
    ),
    Field(
        name="purged",
        kind="ms since 1970",
        means="When the purge was over.",
        absent="not purged, or not to its end",
        value="purged_ms",
    ),
)

VERSIONS = (
    Field(
        name="ver",
        kind="number",
        means="Version of the definition; 1 is what was submitted, an edit adds one.",
        absent=_NEVER,
        value="version",
        python=_STAGING,
    ),
    Field(
        name="ver:nonce",
        kind="nonce",
        means="Names the last edit, so that one that is repeated after a lost reply counts once.",
        absent="never edited",
    ),
    Field(
        name="ver:<version>",
        kind="ms since 1970",
        means="When that version began: later than everything that was started before (`last`). "
        "So the version of a message follows from when its attempt was started. Versions from 2 "
        "on; the first began with `sub`.",
        absent="never edited",
        value="version_starts",
        example="ver:2",
    ),
    Field(
        name="last",
        kind="ms since 1970",
        means="The latest moment that an attempt was started at. It never goes back, also when "
        "the server's clock does.",
        absent="nothing was sent yet",
    ),
)

BLOCKS = (
    Field(
        name="blk:<lane>",
        kind="code",
        means="What stops this lane of the campaign.",
        absent="the lane is not blocked",
        value="blocked",
        example="blk:o",
    ),
    Field(
        name="blk:<lane>:text",
        kind="text",
        means="What the provider said, made safe.",
        absent="with `blk:<lane>`",
        value="blocked",
        example="blk:o:text",
    ),
    Field(
        name="blk:<lane>:until",
        kind="ms since 1970",
        means="When one batch may try again (the probe).",
        absent="not blocked, or only a person helps",
        value="blocked",
        example="blk:o:until",
    ),
    Field(
        name="blk:<lane>:n",
        kind="number",
        means="How often it was blocked in a row: how long the next wait is.",
        absent="with `blk:<lane>:until`",
        value="blocked",
        example="blk:o:n",
    ),
    Field(
        name="blk:<lane>:probing",
        kind="`1`",
        means="The probe is under way. What fails meanwhile is another failure; without it, the "
        "same one.",
        absent="no probe is under way",
    ),
)

COUNTERS = (
    Field(
        name="d:<status>",
        kind="number",
        means="Deliveries in that state, in words (`d:sent`).",
        absent=_ZERO,
        python=_STAGING,
        value="deliveries",
        example="d:sent",
    ),
    Field(
        name="d:uncertain:forgotten",
        kind="number",
        means="Those of `d:uncertain` that stay so for ever, as their people were erased. They do "
        "not keep a campaign from its end.",
        absent=_ZERO,
        value="erased_uncertain",
    ),
    Field(
        name="c:<channel letter>:<status>",
        kind="number",
        means="Deliveries of that channel in that state; pending ones are not counted.",
        absent=_ZERO,
        value="tried",
        example="c:e:sent",
    ),
    Field(
        name="b:<state>",
        kind="number",
        means="Batches in that state, in words (`b:done`).",
        absent=_ZERO,
        python=_STAGING,
        value="batches",
        example="b:done",
    ),
    Field(
        name="p:<kind>",
        kind="number",
        means="People: `p:open`, `p:reached` or `p:not_reached`, over all their channels.",
        absent=_ZERO,
        python=_STAGING,
        value="people",
        example="p:open",
    ),
    Field(
        name="l:<kind>",
        kind="number",
        means="Links: `l:ordered` = `l:received` + `l:awaited` + `l:missing`, and `l:received` = "
        "`l:assigned` + `l:spare`.",
        absent=_ZERO,
        value="links",
        example="l:spare",
    ),
    Field(
        name="h:<code>",
        kind="number",
        means="Batches that are held for that code.",
        absent=_ZERO,
        value="held_reasons",
        example="h:uncertain",
    ),
    Field(
        name="n:<code>",
        kind="number",
        means="Batches that were cancelled with that note.",
        absent=_ZERO,
        value="noted",
        example="n:reordered",
    ),
)

CAMPAIGN = (*FIXED, *COURSE, *VERSIONS, *BLOCKS, *COUNTERS)
