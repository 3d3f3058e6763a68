"""Begin and complete: what the flow checks before and after a connector is asked."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from connectors_core import (
    ConnectorConfig,
    ConnectorMetadata,
    Profile,
    Purpose,
    Runtime,
    TokenSet,
)
from connectors_core.connector import CallbackIssuer, Connector, NetworkPermission
from connectors_core.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorError,
    ConnectorFault,
    InvalidCallback,
    IssuerMismatch,
    OwnerMismatch,
    StateMismatch,
    Step,
    TransactionConsumed,
    TransactionExpired,
)
from connectors_core.flow import begin, complete
from connectors_core.storage.memory import MemoryStores
from connectors_core.testing.plugin import Clock

REDIRECT_URI = "https://host.example/callback/acme"
ISSUER = "https://as.example"


@dataclass
class Behaviour:
    """What the connector under test does, and what it was given."""

    issuer: CallbackIssuer = field(default_factory=CallbackIssuer)
    raises: dict[str, BaseException] = field(default_factory=dict)
    exchanged: list = field(default_factory=list)

    def maybe_raise(self, where: str) -> None:
        if where in self.raises:
            raise self.raises[where]


class Acme(Connector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})

    @property
    def behaviour(self) -> Behaviour:
        return self.runtime.sender

    async def authorization_uri(self, transaction):
        self.behaviour.maybe_raise("authorization_uri")
        sent = {
            "state": transaction.state,
            "nonce": transaction.nonce,
            "verifier": transaction.code_verifier,
            "scope": " ".join(transaction.scopes),
            **transaction.parameters,
        }
        return "https://as.example/authorize?" + urlencode(sent)

    async def exchange(self, callback, transaction):
        self.behaviour.exchanged.append((callback, transaction))
        self.behaviour.maybe_raise("exchange")
        return TokenSet(access_token="at-canary")

    async def profile(self, api, tokens):
        self.behaviour.maybe_raise("profile")
        return Profile(id="42", email="person@example.com")

    async def callback_issuer(self):
        return self.behaviour.issuer


@dataclass
class Bench:
    connector: Acme
    behaviour: Behaviour
    clock: Clock
    stores: MemoryStores

    async def begin(self, **options):
        return await begin(self.connector, self.stores.transactions, redirect_uri=REDIRECT_URI, **options)

    async def complete(self, received, **options):
        return await complete(
            received, options.pop("connector", self.connector), self.stores.transactions, **options
        )

    def other(self, connector_id: str) -> Acme:
        return Acme(ConnectorConfig(), connector_id=connector_id, runtime=self.connector.runtime)


@pytest.fixture
def bench() -> Iterator[Bench]:
    behaviour, clock = Behaviour(), Clock()
    runtime = Runtime(
        sender=behaviour, metadata_cache=None, key_cache=None, clock=clock, network=NetworkPermission()
    )
    connector = Acme(ConnectorConfig(), connector_id="acme-main", runtime=runtime)
    return Bench(connector, behaviour, clock, MemoryStores())


def sent(started) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(started.uri).query))


def answer(started, **parameters) -> str:
    return urlencode({"code": "the-code", "state": sent(started)["state"], **parameters})


async def test_a_sign_in_comes_back_with_profile_tokens_and_identity(bench):
    started = await bench.begin(data={"return_to": "/here"}, parameters={"login_hint": "ada"})
    completed = await bench.complete(answer(started), binding=started.binding)
    assert completed.profile.email == "person@example.com"
    assert completed.tokens.access_token == "at-canary"
    assert (completed.identity.issuer, completed.identity.subject) == ("urn:connectors:acme-main", "42")
    assert completed.data == {"return_to": "/here"}
    assert completed.purpose is Purpose.SIGN_IN
    callback, transaction = bench.behaviour.exchanged[0]
    assert callback.code == "the-code"
    assert transaction.redirect_uri == REDIRECT_URI
    assert transaction.code_verifier == sent(started)["verifier"]
    assert transaction.nonce == sent(started)["nonce"]
    assert transaction.parameters == {"login_hint": "ada"}


async def test_an_account_is_chosen_only_where_that_is_asked_for(bench, monkeypatch):
    async def choose(self, parameters):
        return {"prompt": f"{parameters['prompt']} select_account"}

    login = {"parameters": {"prompt": "login", "login_hint": "a"}}
    assert sent(await bench.begin(**login, select_account=True))["prompt"] == "login"
    monkeypatch.setattr(Acme, "select_account_parameters", choose)
    chosen = sent(await bench.begin(**login, select_account=True))
    assert (chosen["prompt"], chosen["login_hint"]) == ("login select_account", "a")
    assert sent(await bench.begin(**login))["prompt"] == "login"


async def test_state_nonce_and_verifier_are_fresh_and_long(bench):
    seen = [sent(await bench.begin()) for _ in range(20)]
    for name in ("state", "nonce", "verifier"):
        values = {request[name] for request in seen}
        assert len(values) == 20
        assert all(len(value) >= 43 for value in values)


async def test_of_two_callbacks_at_once_exactly_one_wins(bench):
    started = await bench.begin()
    outcomes = await asyncio.gather(
        *(bench.complete(answer(started), binding=started.binding) for _ in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TransactionConsumed) for outcome in outcomes) == 9
    assert len(bench.behaviour.exchanged) == 1


async def test_two_tabs_of_one_browser_both_complete(bench):
    first = await bench.begin()
    second = await bench.begin(binding=first.binding)
    assert second.binding == first.binding
    await bench.complete(answer(second), binding=first.binding)
    await bench.complete(answer(first), binding=first.binding)


async def test_a_sixth_pending_sign_in_of_one_browser_ends_the_oldest(bench):
    first = await bench.begin()
    rest = []
    for _ in range(5):
        bench.clock.now += 1
        rest.append(await bench.begin(binding=first.binding))
    with pytest.raises(StateMismatch):
        await bench.complete(answer(first), binding=first.binding)
    await bench.complete(answer(rest[0]), binding=first.binding)


@pytest.mark.parametrize("binding", [None, "", "another-browser"])
async def test_another_browser_cannot_complete_and_burns_nothing(bench, binding):
    started = await bench.begin()
    with pytest.raises(StateMismatch):
        await bench.complete(answer(started), binding=binding)
    assert not bench.behaviour.exchanged
    await bench.complete(answer(started), binding=started.binding)


async def test_another_connector_cannot_complete_and_burns_nothing(bench):
    started = await bench.begin()
    with pytest.raises(StateMismatch):
        await bench.complete(answer(started), binding=started.binding, connector=bench.other("evil"))
    assert not bench.behaviour.exchanged
    await bench.complete(answer(started), binding=started.binding)


async def test_a_purpose_the_caller_does_not_serve_is_refused_before_the_code_is_redeemed(bench):
    started = await bench.begin(purpose=Purpose.TOKENS, owner="user:1", data={"return_to": "/here"})
    with pytest.raises(InvalidCallback) as caught:
        await bench.complete(
            answer(started), binding=started.binding, owner="user:1", purposes=[Purpose.SIGN_IN]
        )
    assert not bench.behaviour.exchanged
    assert caught.value.data == {"return_to": "/here"}


async def test_another_tenant_cannot_complete(bench):
    started = await bench.begin()
    elsewhere = Acme(
        ConnectorConfig(),
        connector_id="acme-main",
        runtime=replace(bench.connector.runtime, tenant="other"),
    )
    with pytest.raises(StateMismatch):
        await bench.complete(answer(started), binding=started.binding, connector=elsewhere)


async def test_an_unknown_state_is_refused(bench):
    started = await bench.begin()
    with pytest.raises(StateMismatch):
        await bench.complete("code=c&state=guessed", binding=started.binding)


async def test_a_transaction_expires_after_ten_minutes(bench):
    started = await bench.begin()
    assert started.expires_at == bench.clock.now + 600
    bench.clock.now += 601
    with pytest.raises(TransactionExpired):
        await bench.complete(answer(started), binding=started.binding)


@pytest.mark.parametrize("owner", [None, "user:2"])
async def test_an_owned_transaction_is_completed_by_its_owner_alone(bench, owner):
    started = await bench.begin(purpose=Purpose.LINK, owner="user:1", data={"private": "of user 1"})
    with pytest.raises(OwnerMismatch) as caught:
        await bench.complete(answer(started), binding=started.binding, owner=owner)
    assert not bench.behaviour.exchanged
    assert caught.value.data is None


async def test_the_owner_completes(bench):
    started = await bench.begin(purpose=Purpose.TOKENS, owner="user:1")
    completed = await bench.complete(answer(started), binding=started.binding, owner="user:1")
    assert (completed.purpose, completed.owner) == (Purpose.TOKENS, "user:1")


@pytest.mark.parametrize(
    ("purpose", "owner"), [(Purpose.SIGN_IN, "user:1"), (Purpose.LINK, None), (Purpose.TOKENS, None)]
)
async def test_purpose_and_owner_must_fit(bench, purpose, owner):
    with pytest.raises(ValueError, match="owner"):
        await bench.begin(purpose=purpose, owner=owner)


@pytest.mark.parametrize(
    "uri", ["", "/callback", "http://host.example/cb", "https://host.example/cb#f", "javascript:x"]
)
async def test_a_redirect_uri_that_cannot_be_one_is_refused(bench, uri):
    with pytest.raises(ConfigurationError):
        await begin(bench.connector, bench.stores.transactions, redirect_uri=uri)


@pytest.mark.parametrize(
    ("expected", "iss"),
    [
        (CallbackIssuer(ISSUER, required=True), None),
        (CallbackIssuer(ISSUER, required=True), ISSUER + "/"),
        (CallbackIssuer(ISSUER), "https://AS.example"),
        (CallbackIssuer(ISSUER), "https://evil.example"),
    ],
)
@pytest.mark.parametrize("denied", [False, True])
async def test_a_wrong_or_missing_iss_is_refused(bench, expected, iss, denied):
    """RFC 9207 §2.4: for error answers too, and before the code goes anywhere."""
    bench.behaviour.issuer = expected
    started = await bench.begin()
    parameters = {"iss": iss} if iss else {}
    received = answer(started, **parameters)
    if denied:
        received = received.replace("code=the-code", "error=access_denied")
    with pytest.raises(IssuerMismatch):
        await bench.complete(received, binding=started.binding)
    assert not bench.behaviour.exchanged


@pytest.mark.parametrize(
    ("expected", "iss"),
    [
        (CallbackIssuer(ISSUER, required=True), ISSUER),
        (CallbackIssuer(ISSUER), None),
        (CallbackIssuer(), None),
    ],
)
async def test_a_right_iss_passes(bench, expected, iss):
    bench.behaviour.issuer = expected
    started = await bench.begin()
    await bench.complete(answer(started, **({"iss": iss} if iss else {})), binding=started.binding)


async def test_an_iss_nobody_can_judge_is_noted_and_passes(bench, caplog):
    """GitHub began to send iss in 2026: clients that knew no issuer must not lock people out."""
    started = await bench.begin()
    with caplog.at_level(logging.WARNING):
        await bench.complete(answer(started, iss="https://github.com/login/oauth"), binding=started.binding)
    assert "names an issuer" in caplog.text


async def test_the_issuer_is_the_one_of_the_request_not_of_today(bench):
    bench.behaviour.issuer = CallbackIssuer(ISSUER, required=True)
    started = await bench.begin()
    bench.behaviour.issuer = CallbackIssuer("https://elsewhere.example")
    with pytest.raises(IssuerMismatch):
        await bench.complete(answer(started, iss="https://elsewhere.example"), binding=started.binding)


async def test_a_refusal_at_the_provider_is_its_own_error_and_consumes(bench):
    started = await bench.begin()
    received = urlencode({"error": "access_denied", "state": sent(started)["state"]})
    with pytest.raises(AccessDenied) as caught:
        await bench.complete(received, binding=started.binding)
    assert caught.value.connector == "acme-main"
    with pytest.raises(TransactionConsumed):
        await bench.complete(answer(started), binding=started.binding)


@pytest.mark.parametrize("received", ["error=access_denied", "code=c"])
async def test_a_failure_brings_back_what_the_host_gave(bench, received):
    """A host offers to start again where the person wanted to go."""
    bench.behaviour.raises["exchange"] = KeyError()
    started = await bench.begin(data={"return_to": "/here"})
    with pytest.raises(ConnectorError) as caught:
        await bench.complete(f"{received}&state={sent(started)['state']}", binding=started.binding)
    assert caught.value.data == {"return_to": "/here"}


async def test_a_callback_that_proves_nothing_brings_back_nothing(bench):
    started = await bench.begin(data={"return_to": "/here"})
    with pytest.raises(StateMismatch) as caught:
        await bench.complete(answer(started), binding="another-browser")
    assert caught.value.data is None


async def test_a_malformed_callback_consumes_nothing(bench):
    started = await bench.begin()
    with pytest.raises(InvalidCallback):
        await bench.complete(answer(started) + "&code=second", binding=started.binding)
    await bench.complete(answer(started), binding=started.binding)


@pytest.mark.parametrize("where", ["exchange", "profile"])
async def test_a_foreign_exception_is_contained(bench, where):
    bench.behaviour.raises[where] = KeyError("at-canary")
    started = await bench.begin()
    with pytest.raises(ConnectorFault) as caught:
        await bench.complete(answer(started), binding=started.binding)
    assert "KeyError" in str(caught.value)
    assert "at test_authorization.py:" in str(caught.value)
    assert "at-canary" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.step is (Step.TOKEN_EXCHANGE if where == "exchange" else Step.PROFILE)


async def test_a_foreign_exception_in_the_request_is_contained_and_stores_nothing(bench):
    bench.behaviour.raises["authorization_uri"] = RuntimeError("boom")
    with pytest.raises(ConnectorFault):
        await bench.begin()
    assert await bench.stores.transactions.sweep(now=bench.clock.now + 10_000) == 0


async def test_data_that_is_not_json_is_refused_before_anything_is_asked(bench):
    bench.behaviour.raises["authorization_uri"] = AssertionError("was asked")
    with pytest.raises(ValueError, match="not JSON"):
        await bench.begin(data={"when": object()})


async def test_a_binding_or_state_of_lone_surrogates_is_only_unknown(bench):
    started = await bench.begin()
    with pytest.raises(StateMismatch):
        await bench.complete(answer(started), binding="\ud800")


async def test_cancellation_is_not_swallowed(bench):
    bench.behaviour.raises["exchange"] = asyncio.CancelledError()
    started = await bench.begin()
    with pytest.raises(asyncio.CancelledError):
        await bench.complete(answer(started), binding=started.binding)


async def test_nothing_shown_holds_a_secret(bench):
    started = await bench.begin()
    completed = await bench.complete(answer(started), binding=started.binding)
    shown = f"{started!r} {completed!r} {bench.behaviour.exchanged!r} {bench.connector!r}"
    for secret in (*sent(started).values(), started.binding, "the-code", "at-canary"):
        assert not secret or secret not in shown


async def test_a_stored_transaction_is_closed_without_the_browser(bench):
    """The database holds hashes of state and binding, and a payload sealed under both."""
    rows = []
    add = bench.stores.transactions.add

    async def spy(row, **options):
        rows.append(row)
        await add(row, **options)

    bench.stores.transactions.add = spy
    started = await bench.begin(data={"return_to": "/private"})
    stored = repr(rows[0]).encode() + rows[0].sealed
    for secret in (*sent(started).values(), started.binding, "/private"):
        assert not secret or secret.encode() not in stored


async def test_our_own_errors_pass_with_the_connector_named(bench):
    class Ours(ConnectorError):
        pass

    bench.behaviour.raises["exchange"] = Ours("no")
    started = await bench.begin()
    with pytest.raises(Ours) as caught:
        await bench.complete(answer(started), binding=started.binding)
    assert caught.value.connector == "acme-main"
