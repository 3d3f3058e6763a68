# ruff: noqa: UP007
"""The article's Flask application. Endpoint, credentials and port come from the command line.

Everything but the callback, ``/google-token`` and the start of the server is the article's.
"""

import json
import sys
from typing import Union

import aiohttp
from flask import Flask, jsonify, redirect, request, session
from logto import LogtoClient, LogtoConfig, Storage
from werkzeug.serving import make_server

ENDPOINT, APP_ID, APP_SECRET = sys.argv[1:]

app = Flask(__name__)
app.secret_key = "fake-key-of-the-flask-session"
server = make_server("localhost", 0, app, threaded=True)
HOME = f"http://localhost:{server.server_port}"


class SessionStorage(Storage):
    def get(self, key: str) -> Union[str, None]:
        return session.get(key, None)

    def set(self, key: str, value: Union[str, None]) -> None:
        session[key] = value

    def delete(self, key: str) -> None:
        session.pop(key, None)


client = LogtoClient(
    LogtoConfig(
        endpoint=ENDPOINT,
        appId=APP_ID,
        appSecret=APP_SECRET,
    ),
    storage=SessionStorage(),
)


@app.route("/sign-in")
async def sign_in():
    return redirect(
        await client.signIn(
            redirectUri=f"{HOME}/callback",
        )
    )


@app.route("/sign-up")
async def sign_up():
    return redirect(
        await client.signIn(
            redirectUri=f"{HOME}/callback",
            interactionMode="signUp",  # 最初の画面にサインアップページを表示
        )
    )


@app.route("/callback")
async def callback():
    await client.handleSignInCallback(request.url)
    return redirect("/")


@app.route("/sign-out")
async def sign_out():
    return redirect(
        # サインアウトが成功した後、ユーザーをホームページにリダイレクト
        await client.signOut(postLogoutRedirectUri=f"{HOME}/")
    )


@app.route("/")
async def home():
    if client.isAuthenticated() is False:
        return "認証されていません <a href='/sign-in'>サインイン</a>"
    return "認証されています <a href='/sign-out'>サインアウト</a>"


@app.route("/google-token")
async def google_token():
    headers = {"Authorization": f"Bearer {await client.getAccessToken()}"}
    async with aiohttp.ClientSession() as http:
        uri = f"{ENDPOINT}/my-account/identities/google/access-token"
        async with http.get(uri, headers=headers) as answer:
            found = await answer.json()
    user = await client.fetchUserInfo()
    return jsonify(
        status=answer.status,
        token=found,
        claims=client.getIdTokenClaims().model_dump(),
        user=user.model_dump(),
    )


print(json.dumps({"issuer": HOME}), flush=True)
server.serve_forever()
