"""Flask and any OpenID Connect provider, with the methods of Logto's SDK."""

import os

from connectors_embedded import Client
from connectors_embedded.flask import SessionStorage
from flask import Flask, redirect, request

BASE_URL = os.environ.get("BASE_URL", "http://localhost:3000")
app = Flask(__name__)
app.secret_key = os.environ["COOKIE_SECRET"]
oidc = {name: os.environ[name.upper()] for name in ("issuer", "client_id", "client_secret")}
client = Client(
    secret=app.secret_key,
    database="sqlite:///flask_oidc.db",
    connectors={"oidc": {"config": oidc}},
    storage=SessionStorage(),
    allow_private_network="ALLOW_PRIVATE_NETWORK" in os.environ,
)


@app.route("/sign-in")
async def sign_in():
    return redirect(await client.signIn(redirectUri=f"{BASE_URL}/callback"))


@app.route("/callback")
async def callback():
    await client.handleSignInCallback(request.url)
    return redirect("/")


@app.route("/sign-out")
async def sign_out():
    return redirect(await client.signOut(postLogoutRedirectUri=f"{BASE_URL}/"))


@app.route("/")
async def home():
    if client.isAuthenticated() is False:
        return "Nobody is signed in. <a href='/sign-in'>Sign in</a>"
    return f"You are {client.getIdTokenClaims().sub}. <a href='/sign-out'>Sign out</a>"
