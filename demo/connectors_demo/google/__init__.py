"""Google on this machine: sign-in, consent, tokens and three of its APIs, without an account or a network."""

from .emulator import GoogleEmulator

__all__ = ["GoogleEmulator"]
