"""Django and any OpenID Connect provider, in one file: a page for those who are signed in."""

import os
import sys

from connectors_embedded.django import login_required
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import include, path
from django.utils.html import format_html

oidc = {name: os.environ[name.upper()] for name in ("issuer", "client_id", "client_secret")}
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost"],
    SECRET_KEY=os.environ["COOKIE_SECRET"],
    MIDDLEWARE=["connectors_embedded.django.UserMiddleware"],
    CONNECTORS={
        "base_url": os.environ.get("BASE_URL", "http://localhost:3000"),
        "database": "sqlite:///django_app.db",
        "connectors": {"oidc": {"config": oidc}},
        "allow_private_network": "ALLOW_PRIVATE_NETWORK" in os.environ,
    },
)


@login_required
def home(request):
    name = request.connectors_user.name
    return HttpResponse(format_html("Hello {}. <a href='/auth/sign-out'>Sign out</a>", name))


urlpatterns = [path("", include("connectors_embedded.django")), path("", home)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
