"""What an error of the rewards API is called in front of people."""

from pipeline.domain.errors import CredentialsError, RewardsError


def error_sentence(error: RewardsError) -> str:
    """Return one sentence on *error*, with what to do about it where that is known."""
    if isinstance(error, CredentialsError):
        what = "check CLAIMCAST_REWARDS__EMAIL and CLAIMCAST_REWARDS__ACCESS_TOKEN"
        return f"The rewards API refuses the credentials ({error}): {what}."
    return f"The rewards API does not answer as it should ({error})."
