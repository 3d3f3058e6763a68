"""Django OAuth Toolkit on a loopback port, configured by one JSON argument: {"clients": […], "rsa_key": PEM}.

Prints {"issuer": …} once it listens. The only person is `alice`, with the password `any`.
"""

# Django's models can be imported only after django.setup().
# ruff: noqa: E402

from __future__ import annotations

import json
import socketserver
import sys
import tempfile
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

CONFIGURATION = json.loads(sys.argv[1])
LOGIN = '<form method="post">{% csrf_token %}<input name="next" value="{{ next }}">{{ form }}</form>'
CONSENT = (
    '<form method="post">{% csrf_token %}{% for f in form %}{% if f.is_hidden %}{{ f }}{% endif %}'
    '{% endfor %}<input type="submit" name="allow" value="Authorize"></form>'
)


def claims(request) -> dict[str, object]:
    return {"name": "Alice Example", "email": "alice@example.test", "email_verified": True}


folder = tempfile.TemporaryDirectory()
settings.configure(
    SECRET_KEY="not-a-secret",
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/db"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"registration/login.html": LOGIN, "oauth2_provider/authorize.html": CONSENT},
                    ),
                    "django.template.loaders.app_directories.Loader",
                ]
            },
        }
    ],
    LOGIN_URL="/login/",
    USE_TZ=True,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": CONFIGURATION["rsa_key"],
        "PKCE_REQUIRED": True,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "SCOPES": {"openid": "OpenID", "profile": "Profile", "email": "E-mail", "read": "Read"},
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)
django.setup()

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.http import JsonResponse
from django.urls import include, path
from oauth2_provider.decorators import protected_resource
from oauth2_provider.models import Application
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    oidc_claim_scope = None

    def get_additional_claims(self, request):
        return claims(request)


@protected_resource(scopes=["read"])
def me(request):
    owner = request.resource_owner
    return JsonResponse({"id": owner.pk, "login": owner.username, "contact": {"emails": ["a@example.test"]}})


urlpatterns = [
    path("login/", LoginView.as_view()),
    path("me", me),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *message: object) -> None: ...


if __name__ == "__main__":
    from django.core.wsgi import get_wsgi_application

    sys.modules[settings.ROOT_URLCONF] = sys.modules["__main__"]
    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", password="any")
    for client in CONFIGURATION["clients"]:
        Application.objects.create(**client)
    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    print(json.dumps({"issuer": f"http://localhost:{server.server_port}/o"}), flush=True)
    server.serve_forever()
