"""Django's settings are those of a process: all tests that need Django in theirs share these."""

from __future__ import annotations


def configure() -> None:
    """Set Django up, once."""
    from django.conf import settings  # type: ignore[import-untyped]

    if settings.configured:
        return
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="fake-secret-key-of-the-django-tests-which-is-long",
        MIDDLEWARE=[
            "django.middleware.csrf.CsrfViewMiddleware",
            "connectors_embedded.django.UserMiddleware",
        ],
        LOGGING_CONFIG=None,
    )
    import django  # type: ignore[import-untyped]

    django.setup()
