"""Why a delivery failed, waits, or is uncertain."""

from pipeline.domain.codes.reason import ANOTHER, FAILED, NONE_NEEDED, TRIES, WAITS, Reason


def _delivery(code: str, meaning: str, by_itself: str, action: str) -> Reason:
    return Reason(code, "delivery", meaning, by_itself, action)


DELIVERIES = (
    *(
        _delivery(
            f"looked_{looks}",
            f"the answer was lost, and the provider was asked {times} and has no such message",
            "It is asked three times over two minutes; then the campaign's on_uncertain decides.",
            NONE_NEEDED,
        )
        for looks, times in ((1, "once"), (2, "twice"))
    ),
    _delivery(
        "suppressed",
        "the address is on the suppression list: unsubscribed, bounced, or put there by hand",
        "The next channel of the campaign is tried, if the person has one.",
        "If it is there by mistake: `claimcast suppress remove`, then `claimcast resend "
        "{campaign} RECIPIENT`.",
    ),
    _delivery(
        "window",
        "it is quiet hours where this person is",
        "The message goes out when the window of the campaign opens.",
        NONE_NEEDED,
    ),
    _delivery(
        "window_closed",
        "the window closed before the message could be started",
        "The message goes out when the window of the campaign opens.",
        NONE_NEEDED,
    ),
    _delivery(
        "gave_up",
        "it failed again and again for CLAIMCAST_RETRY__GIVE_UP",
        ANOTHER,
        f"When the cause is mended, run {FAILED}.",
    ),
    _delivery(
        "unconfirmed",
        "the answer to the message was lost several times, so it may have arrived",
        "Nothing more.",
        "Ask the person, or send the same link again with "
        "`claimcast retry {campaign} --uncertain`.",
    ),
    _delivery(
        "worker_lost",
        "the worker stopped while the message was on its way, so it may have arrived",
        "E-mail is sent again with the same link, unless the campaign says hold.",
        "Where it is held: `claimcast retry {campaign} --uncertain`.",
    ),
    _delivery(
        "internal_error",
        "a defect of this program came up while the message was on its way",
        "E-mail is sent again with the same link, unless the campaign says hold.",
        "Report it with the log's lines delivery.defect.",
    ),
    _delivery(
        "compose_error",
        "the message could not be made from this person's data",
        ANOTHER,
        "Report it with the log's lines message.not_composed.",
    ),
    _delivery(
        "template_error",
        "the template could not be filled with this person's data",
        ANOTHER,
        "Correct the template so that it takes every value, then run " + FAILED + ".",
    ),
    _delivery(
        "bad_address",
        "the address cannot be used in a message",
        ANOTHER,
        "Ask the person for another address.",
    ),
    _delivery(
        "bad_unsubscribe",
        "the address for unsubscribing is not usable",
        ANOTHER,
        f"Correct CLAIMCAST_PUBLIC_URL, restart the workers, then run {FAILED}.",
    ),
    _delivery(
        "smtputf8_unsupported",
        "the mail server takes only ASCII addresses, and this is none",
        ANOTHER,
        f"Use a mail server with SMTPUTF8, then run {FAILED}.",
    ),
    _delivery(
        "cancelled", "the campaign was cancelled before it was sent", "Nothing.", NONE_NEEDED
    ),
    _delivery(
        "retry",
        "it waits for the channel before it, which is being tried again",
        "It is sent if that one fails.",
        NONE_NEEDED,
    ),
    _delivery(
        "superseded",
        "the link was resent another way before it was known whether this message had arrived",
        "Nothing more.",
        NONE_NEEDED,
    ),
    _delivery(
        "readdressed",
        "the address was corrected before a message had been accepted",
        "It is sent to the corrected address.",
        NONE_NEEDED,
    ),
    _delivery(
        "breaker_open",
        "it was not started, because the provider was failing",
        "It is started when the provider works again.",
        NONE_NEEDED,
    ),
    _delivery(
        "forgotten",
        "the person was removed on request (`claimcast forget`)",
        "Nothing is sent to them any more, nor looked up.",
        NONE_NEEDED,
    ),
    _delivery(
        "purged",
        "the addresses and links of the campaign were removed before this channel's turn came",
        "Nothing.",
        NONE_NEEDED,
    ),
    _delivery(
        "lease_lost",
        "it was not started, because another worker took the batch over",
        "That worker sends it.",
        NONE_NEEDED,
    ),
    _delivery(
        "crowded",
        "it was not started, because the results of others could not be written to Redis",
        "It is sent when Redis takes results again.",
        "If it goes on, check Redis; `claimcast doctor` connects to it.",
    ),
    _delivery(
        "halted",
        "it was not started, because the campaign was paused or the worker stopped",
        "It is sent when the campaign goes on.",
        "If it is paused, `claimcast resume {campaign}` lets it go on.",
    ),
    _delivery(
        "smtp_lost",
        "the line to the mail server broke",
        TRIES,
        "If it goes on, check the mail server; `claimcast doctor` connects to it.",
    ),
    _delivery(
        "smtp_timeout",
        "the mail server did not answer in time",
        TRIES,
        "If it goes on, check the mail server; `claimcast doctor` connects to it.",
    ),
    _delivery(
        "smtp_connect",
        "the mail server cannot be reached",
        WAITS,
        "Check CLAIMCAST_SMTP__HOST, CLAIMCAST_SMTP__PORT and the network; `claimcast doctor` "
        "connects to it.",
    ),
    _delivery(
        "smtp_dns",
        "the name of the mail server cannot be found",
        WAITS,
        "Check CLAIMCAST_SMTP__HOST.",
    ),
    _delivery(
        "smtp_tls",
        "the mail server does not speak TLS as expected",
        WAITS,
        "Check CLAIMCAST_SMTP__SECURITY and CLAIMCAST_SMTP__PORT (starttls is usually 587, "
        "tls 465).",
    ),
    _delivery(
        "smtp_protocol",
        "the mail server answers what no mail server answers",
        WAITS,
        "Check CLAIMCAST_SMTP__HOST and CLAIMCAST_SMTP__PORT.",
    ),
    _delivery(
        "smtp_closed",
        "the worker was stopping",
        "Another worker sends it, or this one after its restart.",
        NONE_NEEDED,
    ),
    _delivery(
        "smtp_421",
        "the mail server closes connections for now",
        WAITS,
        "If it goes on, lower the rate with `claimcast limits set email RATE`.",
    ),
)
