"""The four routes for a front end, with GitHub as an OAuth 2.0 provider, or another of the environment."""

import os
from pathlib import Path

from connectors_embedded.starlette import SignIn
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

oauth2 = {
    "client_id": os.environ["CLIENT_ID"],
    "client_secret": os.environ["CLIENT_SECRET"],
    "authorization_endpoint": os.environ.get("AUTHORIZE", "https://github.com/login/oauth/authorize"),
    "token_endpoint": os.environ.get("TOKEN", "https://github.com/login/oauth/access_token"),
    "user_info_endpoint": os.environ.get("USER_INFO", "https://api.github.com/user"),
    "profile_map": {"name": ["name", "login"], "avatar": "avatar_url"},
}
sign_in = SignIn(
    base_url=os.environ.get("BASE_URL", "http://localhost:3000"),
    secret=os.environ["COOKIE_SECRET"],
    database="sqlite:///front_end.db",
    prefix="/api/logto",
    connectors={"oauth2": {"config": oauth2}},
    allow_private_network="ALLOW_PRIVATE_NETWORK" in os.environ,
)
page = Route("/", lambda request: FileResponse(Path(__file__).with_name("index.html")))
app = Starlette(routes=[page, *sign_in.routes], lifespan=sign_in.lifespan)
