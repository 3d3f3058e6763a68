"""Begin and complete an authorization."""

from .authorization import Completed, Started, begin, complete, contained
from .callback import CallbackAnswer, CallbackParameters, parse_callback

__all__ = [
    "CallbackAnswer",
    "CallbackParameters",
    "Completed",
    "Started",
    "begin",
    "complete",
    "contained",
    "parse_callback",
]
