"""Flask and Google: a page for those who are signed in."""

import os

from connectors_embedded.flask import SignIn, current_user, login_required
from flask import Flask
from markupsafe import escape

app = Flask(__name__)
google = {"clientId": os.environ["CLIENT_ID"], "clientSecret": os.environ["CLIENT_SECRET"]}
sign_in = SignIn(
    base_url=os.environ.get("BASE_URL", "http://localhost:3000"),
    secret=os.environ["COOKIE_SECRET"],
    database="sqlite:///flask_google.db",
    connectors={"google": {"config": google}},
)
app.register_blueprint(sign_in.blueprint)


@app.get("/")
@login_required
def home() -> str:
    return f"Hello {escape(current_user.name)}. <a href='/auth/sign-out'>Sign out</a>"
