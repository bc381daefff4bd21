"""Why ordering or sending of a whole campaign is blocked."""

from pipeline.domain.codes.reason import RESUME, WAITS, Reason


def _block(code: str, meaning: str, action: str, by_itself: str = WAITS) -> Reason:
    return Reason(code, "block", meaning, by_itself, action)


BLOCKS = (
    _block(
        "insufficient_funds",
        "the account at the rewards API does not hold enough available funds",
        f"Add funds; to order at once, {RESUME}.",
        "Fulfilled batches are sent; one batch tries again every 1 to 15 minutes.",
    ),
    _block(
        "order_refused",
        "the rewards API refuses the order as it is",
        f"Correct what its words say at the provider, {RESUME}; if the campaign is wrong, "
        "cancel it with `claimcast cancel {campaign}`.",
        "Fulfilled batches are sent; nothing is ordered.",
    ),
    _block(
        "product_refused",
        "the product cannot be ordered as the campaign wants it",
        f"Have the product enabled at the provider, {RESUME}; if the campaign is wrong, "
        "cancel it with `claimcast cancel {campaign}`.",
        "Fulfilled batches are sent; nothing is ordered.",
    ),
    _block(
        "credentials",
        "the rewards API does not accept our credentials",
        "Correct CLAIMCAST_REWARDS__EMAIL and CLAIMCAST_REWARDS__ACCESS_TOKEN, restart the "
        f"workers, {RESUME}; `claimcast doctor` tries them.",
        "Fulfilled batches are sent; nothing is ordered.",
    ),
    _block(
        "channel_not_configured",
        "a worker was started without the settings of a channel that the campaign uses",
        "Give every worker the settings of all channels that campaigns use, restart them, "
        f"{RESUME}; `claimcast doctor` tries them.",
    ),
    _block(
        "smtp_no_starttls",
        "the mail server does not offer encryption",
        "Set CLAIMCAST_SMTP__SECURITY and CLAIMCAST_SMTP__PORT to what the server offers, restart "
        f"the workers, {RESUME}.",
    ),
    _block(
        "smtp_no_auth",
        "the mail server offers no way to log in that is known here",
        "Check CLAIMCAST_SMTP__HOST, CLAIMCAST_SMTP__PORT and CLAIMCAST_SMTP__SECURITY, restart "
        f"the workers, {RESUME}.",
    ),
    _block(
        "smtp_certificate",
        "the certificate of the mail server is not valid",
        "Set CLAIMCAST_SMTP__HOST to the name that the certificate has, or have it renewed, "
        f"{RESUME}.",
    ),
)
