"""The provider does what it says; everybody else's tests stand on that."""

import base64
import json
import warnings
from urllib.parse import quote_plus, urlencode

import httpx
import pytest

from connectors_core.testing.provider import CASES, Client, Fault, Person, Provider, SigningKey
from connectors_core.testing.provider.keys import b64, compact, digest, read_compact, sign, verified

VERIFIER = "fake-verifier-of-more-than-43-characters-0123456789"
CALLBACK = "https://host.test/callback"
SECRET = Client().secret


def authorization(provider: Provider, **changes: str | None) -> str:
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "client-1",
        "redirect_uri": CALLBACK,
        "scope": "openid email offline_access",
        "state": "s-1",
        "nonce": "n-1",
        "code_challenge": b64(digest("RS256", VERIFIER.encode())),
        "code_challenge_method": "S256",
    } | changes
    kept = {name: value for name, value in parameters.items() if value is not None}
    return f"{provider.url('authorize')}?{urlencode(kept)}"


async def code_of(provider: Provider, **changes: str | None) -> str:
    landing = await provider.visit(authorization(provider, **changes))
    return dict(landing.parameters)["code"]


class Rp:
    """A client of few words."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.http = httpx.AsyncClient(transport=provider.transport())

    async def token(self, *, auth=("client-1", SECRET), **form: str) -> httpx.Response:
        return await self.http.post(self.provider.url("token"), data=form, auth=auth)

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        form = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER} | changes
        return await self.token(grant_type="authorization_code", **form)

    async def refresh(self, refresh_token: str, **more: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **more)


@pytest.fixture
async def rp(provider):
    rp = Rp(provider)
    yield rp
    await rp.http.aclose()


async def test_a_code_is_redeemed_for_tokens_whose_signature_holds(provider, rp):
    answer = (await rp.redeem(await code_of(provider))).json()
    header, claims, signing_input, signature = read_compact(answer["id_token"])
    assert verified(header["alg"], provider.keys[0].private, signing_input, signature)
    assert claims["nonce"] == "n-1"
    assert claims["aud"] == "client-1"
    assert claims["email"] == "alice@example.test"
    assert answer["scope"] == "openid email offline_access"
    assert answer["refresh_token"]


async def test_no_refresh_token_without_offline_access(provider, rp):
    answer = await rp.redeem(await code_of(provider, scope="openid"))
    assert "refresh_token" not in answer.json()


async def test_a_second_use_of_a_code_revokes_what_the_first_gave(provider, rp):
    code = await code_of(provider)
    first = (await rp.redeem(code)).json()
    assert (await rp.redeem(code)).json()["error"] == "invalid_grant"
    assert (await rp.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    me = await rp.http.get(
        f"{provider.issuer}/api/me", headers={"Authorization": f"Bearer {first['access_token']}"}
    )
    assert me.status_code == 401
    assert provider.families_revoked == 1


async def test_a_code_expires(provider, rp, clock):
    code = await code_of(provider)
    clock.advance(provider.code_lifetime)
    assert (await rp.redeem(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://host.test/callback/"},
        {"code_verifier": "another" * 8},
        {"code_verifier": ""},
    ],
    ids=["redirect_uri", "verifier", "empty verifier"],
)
async def test_a_code_is_bound_to_redirect_uri_and_verifier(provider, rp, changes):
    answer = await rp.redeem(await code_of(provider), **changes)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "openid unheard-of"}, "invalid_scope"),
    ],
)
async def test_a_bad_request_comes_back_as_an_error_with_state(provider, changes, error):
    landing = await provider.visit(authorization(provider, **changes))
    assert dict(landing.parameters) == {"error": error, "state": "s-1"}


@pytest.mark.parametrize("changes", [{"redirect_uri": "https://evil.test/"}, {"client_id": "nobody"}])
async def test_an_unregistered_address_gets_no_redirect(provider, changes):
    with pytest.raises(LookupError):
        await provider.visit(authorization(provider, **changes))


async def test_form_post_carries_the_parameters_in_a_form(provider):
    landing = await provider.visit(authorization(provider, response_mode="form_post", state='<&">'))
    assert landing.method == "POST"
    assert landing.uri == CALLBACK
    assert dict(landing.parameters)["state"] == '<&">'


async def test_consent_refuses_single_scopes(provider, rp):
    provider.refused_scopes = frozenset({"email"})
    answer = (await rp.redeem(await code_of(provider))).json()
    assert answer["scope"] == "openid offline_access"


async def refresh_chain(provider: Provider, rp: Rp) -> tuple[str, str]:
    first = (await rp.redeem(await code_of(provider))).json()["refresh_token"]
    second = (await rp.refresh(first)).json()["refresh_token"]
    return first, second


async def test_strict_rotation_revokes_the_family_on_reuse(provider, rp):
    provider.rotation = "strict"
    first, second = await refresh_chain(provider, rp)
    assert (await rp.refresh(first)).json()["error"] == "invalid_grant"
    assert (await rp.refresh(second)).json()["error"] == "invalid_grant"
    assert provider.families_revoked == 1


async def test_grace_lets_the_old_token_work_for_a_while(provider, rp, clock):
    provider.rotation = "grace:30"
    first, second = await refresh_chain(provider, rp)
    clock.advance(30)
    assert (await rp.refresh(first)).status_code == 200
    clock.advance(1)
    assert (await rp.refresh(first)).json()["error"] == "invalid_grant"
    assert (await rp.refresh(second)).json()["error"] == "invalid_grant"


async def test_overlap_keeps_the_old_token_until_the_new_one_is_used(provider, rp):
    provider.rotation = "overlap"
    first, second = await refresh_chain(provider, rp)
    assert (await rp.refresh(first)).status_code == 200
    assert (await rp.refresh(second)).status_code == 200
    assert (await rp.refresh(first)).json()["error"] == "invalid_grant"
    assert provider.families_revoked == 0


async def test_without_rotation_the_token_stays(provider, rp):
    token = (await rp.redeem(await code_of(provider))).json()["refresh_token"]
    for _ in range(3):
        assert "refresh_token" not in (await rp.refresh(token)).json()


async def test_refresh_narrows_scopes_and_never_widens_them(provider, rp):
    token = (await rp.redeem(await code_of(provider))).json()["refresh_token"]
    assert (await rp.refresh(token, scope="openid")).json()["scope"] == "openid"
    assert (await rp.refresh(token, scope="openid calendar")).json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_signatures_hold_and_others_do_not(algorithm):
    key = SigningKey.make(algorithm, kid="k")
    signature = key.sign(b"data")
    assert verified(algorithm, key.private, b"data", signature)
    assert not verified(algorithm, key.private, b"Data", signature)


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "ES512", "EdDSA", "HS256"])
def test_another_library_accepts_the_signatures(algorithm):
    jws = pytest.importorskip("joserfc.jws")
    jwk = pytest.importorskip("joserfc.jwk")
    if algorithm.startswith("HS"):
        secret = b"fake-secret-of-thirty-two-bytes!"
        key, signer = jwk.OctKey.import_key(secret), lambda data: sign(algorithm, secret, data)
    else:
        own = SigningKey.make(algorithm, kid="k")
        key, signer = jwk.import_key(own.jwk()), own.sign
    token = compact({"alg": algorithm}, b"{}", signer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of the name EdDSA, which providers use
        assert jws.deserialize_compact(token, key, algorithms=[algorithm]).payload == b"{}"


async def client_authentication(provider: Provider, rp: Rp, **request) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": await code_of(provider)}
    form |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER} | request.pop("form", {})
    return await rp.http.post(provider.url("token"), data=form, **request)


def assertion(provider: Provider, algorithm: str, key, **changes) -> dict[str, str]:
    now = provider.clock()
    claims = {"iss": "client-1", "sub": "client-1", "aud": provider.issuer, "jti": "j-1", "exp": now + 60}
    payload = json.dumps(claims | changes).encode()
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": compact({"alg": algorithm}, payload, lambda data: sign(algorithm, key, data)),
    }


async def test_every_client_authentication_is_recognised(provider, rp):
    key = SigningKey.make("ES256", kid="client")
    provider.register("client-1", key=key)
    encoded = base64.b64encode(f"client-1:{quote_plus(SECRET)}".encode()).decode()
    for method, request in {
        "client_secret_basic": {"headers": {"Authorization": f"Basic {encoded}"}},
        "client_secret_post": {"form": {"client_id": "client-1", "client_secret": SECRET}},
        "client_secret_jwt": {"form": assertion(provider, "HS256", SECRET.encode())},
        "private_key_jwt": {"form": assertion(provider, "ES256", key.private, jti="j-2")},
    }.items():
        assert (await client_authentication(provider, rp, **request)).status_code == 200, method
        assert provider.requests.last("token").client_authentication == method
    provider.register("client-1", method="none")
    assert (await client_authentication(provider, rp, form={"client_id": "client-1"})).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.test"},
        {"aud": ["https://provider.test"]},
        {"sub": "client-2"},
        {"exp": 0},
        {"exp": 4e9},
        {"jti": None},
    ],
)
async def test_an_assertion_that_is_not_right_is_refused(provider, rp, changes):
    form = assertion(provider, "HS256", SECRET.encode(), **changes)
    answer = await client_authentication(provider, rp, form=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_serves_once(provider, rp):
    form = assertion(provider, "HS256", SECRET.encode())
    assert (await client_authentication(provider, rp, form=form)).status_code == 200
    assert (await client_authentication(provider, rp, form=form)).status_code == 401


async def test_a_client_is_held_to_its_method_and_to_one_of_them(provider, rp):
    form = {"client_id": "client-1", "client_secret": SECRET}
    both = await client_authentication(provider, rp, form=form, auth=("client-1", SECRET))
    assert both.json()["error"] == "invalid_request"
    provider.register("client-1", method="client_secret_basic")
    assert (await client_authentication(provider, rp, form=form)).json()["error"] == "invalid_client"


async def test_basic_credentials_are_form_encoded(provider, rp):
    provider.register("client-1", secret="a+b%c:d é")
    plain = base64.b64encode("client-1:a+b%c:d é".encode()).decode()
    encoded = base64.b64encode(f"client-1:{quote_plus('a+b%c:d é')}".encode()).decode()
    for credentials, status in ((plain, 401), (encoded, 200)):
        headers = {"Authorization": f"Basic {credentials}"}
        assert (await client_authentication(provider, rp, headers=headers)).status_code == status


async def test_userinfo_and_api_need_a_live_token_with_the_scope(provider, rp, clock):
    token = (await rp.redeem(await code_of(provider))).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await rp.http.get(provider.url("userinfo"), headers=bearer)).json() == {
        "sub": "alice-1",
        "email": "alice@example.test",
        "email_verified": True,
    }
    assert (await rp.http.get(f"{provider.issuer}/api/email", headers=bearer)).status_code == 200
    assert (await rp.http.get(f"{provider.issuer}/api/calendar", headers=bearer)).status_code == 403
    clock.advance(provider.access_token_lifetime)
    refused = await rp.http.get(provider.url("userinfo"), headers=bearer)
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["www-authenticate"]


async def test_revocation_of_a_refresh_token_ends_the_grant(provider, rp):
    answer = (await rp.redeem(await code_of(provider))).json()
    auth, form = ("client-1", SECRET), {"token": answer["refresh_token"]}
    assert (await rp.http.post(provider.url("revoke"), data=form, auth=auth)).status_code == 200
    assert (await rp.refresh(answer["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await rp.http.post(provider.url("revoke"), data={"token": "?"}, auth=auth)).status_code == 200


async def test_end_session_returns_only_to_registered_addresses(provider, rp):
    for uri, status in (("https://host.test/", 302), ("https://evil.test/", 400)):
        params = {"post_logout_redirect_uri": uri, "state": "s"}
        answer = await rp.http.get(provider.url("end_session"), params=params)
        assert answer.status_code == status
    assert (await rp.http.get(provider.url("end_session"))).status_code == 200


async def test_a_plain_oauth_server_gives_no_id_token(clock):
    provider = Provider(openid=False, clock=clock, token_answer="form", errors_with_200=True)
    rp = Rp(provider)
    assert (await rp.http.get(f"{provider.issuer}/.well-known/openid-configuration")).status_code == 404
    answer = await rp.redeem(await code_of(provider, scope="read:user", nonce=None))
    token = dict(httpx.QueryParams(answer.text))
    assert "id_token" not in token
    user = await rp.http.get(
        provider.url("user"), headers={"Authorization": f"Bearer {token['access_token']}"}
    )
    assert user.json()["id"] == 4711
    wrong = await rp.redeem("unknown")
    assert (wrong.status_code, dict(httpx.QueryParams(wrong.text))["error"]) == (200, "invalid_grant")
    await rp.http.aclose()


async def test_keys_rotate_with_a_new_name_or_the_old_one(provider):
    first = provider.keys[0]
    provider.rotate_keys()
    assert [key.kid for key in provider.keys] == ["key-1", "key-0"]
    provider.rotate_keys("ES256", keep_old=False)
    assert [key.algorithm for key in provider.keys] == ["ES256"]
    again = provider.rotate_keys(same_kid=True)
    assert (again.kid, len(provider.keys)) == ("key-2", 1)
    assert first.private is not again.private


async def test_requests_are_counted_with_their_parameters(provider, rp):
    await rp.redeem(await code_of(provider))
    assert provider.requests.count("token", grant_type="authorization_code") == 1
    assert provider.requests.count("token", grant_type="refresh_token") == 0
    assert provider.requests[-1].client_authentication == "client_secret_basic"
    assert provider.requests[-1].status == 200
    assert provider.requests.in_flight_most == 1


async def test_scheduled_answers_come_before_or_after_the_effect(provider, rp):
    provider.rotation = "strict"
    token = (await rp.redeem(await code_of(provider))).json()["refresh_token"]
    provider.answer_next("token", Fault.RESET)
    with pytest.raises(httpx.ReadError):
        await rp.refresh(token)
    provider.answer_next("token", Fault.RESET, processed=True)
    with pytest.raises(httpx.ReadError):
        await rp.refresh(token)
    assert (await rp.refresh(token)).json()["error"] == "invalid_grant"


async def test_held_requests_wait_for_their_release(provider, rp):
    import asyncio

    released = provider.hold("discovery")
    url = f"{provider.issuer}/.well-known/openid-configuration"
    waiting = [asyncio.ensure_future(rp.http.get(url)) for _ in range(3)]
    while provider.requests.in_flight < 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    released.set()
    answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert provider.requests.in_flight_most == 3


async def test_a_deviation_ends_with_its_block(provider, rp):
    with provider.deviate("keys.weak"):
        await rp.redeem(await code_of(provider))
        assert provider.keys[0].private.key_size == 1024
    assert provider.keys[0].private.key_size == 2048
    assert not provider.active


def test_every_case_is_described():
    for name, case in CASES.items():
        assert case.name == name
        assert case.source
        assert case.changes
        assert case.area
    assert len(CASES) >= 150


def test_a_case_of_an_unknown_stage_is_refused():
    from connectors_core.testing.provider import case

    with pytest.raises(ValueError, match="no such stage"):
        case("x.y", "here", "nothing", None, tokn=lambda value, provider: value)


async def test_people_are_chosen_by_login_hint(provider, rp):
    provider.people["bob-1"] = Person(sub="bob-1", claims={"email": "bob@example.test"})
    answer = (await rp.redeem(await code_of(provider, login_hint="bob-1"))).json()
    assert read_compact(answer["id_token"])[1]["email"] == "bob@example.test"
