"""What people are told where something is refused or goes wrong."""

from __future__ import annotations

from connectors_core.errors import AuthorizationError, CallbackRejected

REFUSALS = {
    403: ("This was not accepted", "It does not seem to come from a page of this assistant."),
    404: ("There is nothing here", "The address may be mistyped, or what was here is gone."),
    405: ("This cannot be done here", "The address is used in a way that it is not meant for."),
}
"""Heading and explanation, by HTTP status."""


def in_words(error: Exception) -> str:
    """What went wrong, for the person whom it happened to."""
    match error:
        case CallbackRejected():
            return (
                "This sign-in cannot go on: it took too long, is done already, or began in another browser."
            )
        case AuthorizationError():
            return "You were not signed in, and nothing has changed."
    return f"That did not work: {str(error).rstrip('.') or 'no answer came'}."
