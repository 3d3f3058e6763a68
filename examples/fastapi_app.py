"""FastAPI and any OpenID Connect provider: an open page, and an API for those who are signed in."""

import os
from typing import Annotated

from connectors_embedded.starlette import SignIn, User
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

oidc = {name: os.environ[name.upper()] for name in ("issuer", "client_id", "client_secret")}
sign_in = SignIn(
    base_url=os.environ.get("BASE_URL", "http://localhost:3000"),
    secret=os.environ["COOKIE_SECRET"],
    database="sqlite:///fastapi_app.db",
    connectors={"oidc": {"config": oidc}},
    allow_private_network="ALLOW_PRIVATE_NETWORK" in os.environ,
)
app = FastAPI(routes=sign_in.routes, lifespan=sign_in.lifespan)


@app.get("/", response_class=HTMLResponse)
async def home(user: Annotated[User | None, Depends(sign_in.current_user)]) -> str:
    return "<a href='/auth/sign-out'>Sign out</a>" if user else "<a href='/auth/sign-in'>Sign in</a>"


@app.get("/me")
async def me(user: Annotated[User, Depends(sign_in.login_required)]) -> dict[str, str | None]:
    return {"id": user.owner, "name": user.name, "email": user.email}
