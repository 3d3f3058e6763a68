"""Begin and complete an authorization."""

from .authorization import Completed, Started, begin, complete
from .callback import CallbackAnswer, CallbackParameters, parse_callback

__all__ = [
    "CallbackAnswer",
    "CallbackParameters",
    "Completed",
    "Started",
    "begin",
    "complete",
    "parse_callback",
]
