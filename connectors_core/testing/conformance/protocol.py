"""What is held against the protocols: the request, the sign-in, every named case, refresh and revocation."""

from __future__ import annotations

import asyncio
import logging
from importlib import resources
from urllib.parse import parse_qsl, urlsplit

import pytest

from ...connector import CONTRACT, ConnectorConfig, Refreshes, Revokes
from ...errors import ConnectorError, ConnectorMisconfigured, InvalidGrant
from ...flow import Completed
from ..emulation import Visitor
from ..grid import SLOW, Ability, cases_for, rows_of
from ..provider import CASES, Case, Scenario
from .world import CALLBACK, World


class Protocol(World):
    """The tests about what goes over the wire."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test a case that concerns this connector."""
        if "case" in metafunc.fixturenames:
            cases = self.cases()
            metafunc.parametrize("case", cases, ids=[each.name for each in cases])

    def cases(self) -> list[Case]:
        """The named cases and the rows of the profile that concern this connector."""

        async def found() -> list[Case]:
            async with self._acting() as actor:
                ability = await Ability.of(self._connector(actor), actor)
                named = cases_for(CASES.values(), ability, self.outcomes)
                return [*named, *rows_of(self.profile, ability, self.outcomes)]

        return asyncio.run(found())

    def test_says_what_it_is(self) -> None:
        """Id, contract, name, files and configuration are there and in order."""
        kind = self.connector
        assert kind.contract == CONTRACT
        assert kind.id == kind.id.lower()
        assert kind.id.replace("-", "").replace("_", "").isalnum()
        assert kind.metadata.name.get("en"), "metadata.name needs an English name"
        assert issubclass(kind.Config, ConnectorConfig)
        stated = (kind.metadata.logo, kind.metadata.logo_dark, kind.metadata.readme)
        for name in stated:
            if name is None or name.startswith("https://"):
                continue
            file = resources.files(kind.__module__.partition(".")[0]).joinpath(name)
            assert file.is_file(), f"{name} is not in the package"
            if name.endswith(".svg"):
                drawing = file.read_text(encoding="utf-8").lower()
                assert "<script" not in drawing
                assert "href=" not in drawing

    def test_authorization_request(self) -> None:
        """RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9700 §2.1: what must be there, once, and what must not."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            first, second = [parse_qsl(urlsplit((await actor.begin()).uri).query) for _ in range(2)]
            sent, again = dict(first), dict(second)
            assert len(sent) == len(first), "a parameter stands twice"
            assert sent["response_type"] == "code"
            assert sent["redirect_uri"] == CALLBACK
            assert sent["client_id"] == connector.config.client_id
            fresh = ["state"]
            if not connector.pkce_off_because:
                assert sent["code_challenge_method"] == "S256"
                fresh.append("code_challenge")
            if "nonce" in sent:
                fresh.append("nonce")
            assert all(len(sent[name]) >= 22 and sent[name] != again[name] for name in fresh)
            assert not {"client_secret", "code_verifier", "client_assertion", "access_token"} & sent.keys()
            if secret := connector.config.client_secret:
                assert secret.get_secret_value() not in str(first)

        self._run(act)

    def test_signs_in(self) -> None:
        """The profile is the expected one, and the account is the same the next time."""

        async def act(actor: Visitor) -> None:
            completed = await actor.sign_in()
            self._as_expected(completed.profile)
            assert completed.tokens.access_token
            assert completed.identity == (await actor.sign_in()).identity
            assert completed.identity.subject

        self._run(act)

    def test_keeps_secrets_out_of_urls(self) -> None:
        """RFC 6750 §2.3, RFC 9700 §4.3.2: no code, token, verifier or client secret in any URL."""

        async def act(actor: Visitor) -> None:
            await actor.sign_in()
            held = actor.held()
            assert not [url for url in actor.emulation.urls if any(secret in url for secret in held)]
            codes = [sent.parameters.get("code") for sent in actor.provider.requests.of("token")]
            codes = [code for code in codes if code]
            assert len(codes) == len(set(codes)) == 1, "the code was sent twice"

        self._run(act)

    def test_case(self, case: Case, caplog: pytest.LogCaptureFixture) -> None:
        """Only our exceptions leave, with the expected code, and none shows a secret."""
        caplog.set_level(logging.DEBUG)

        async def act(actor: Visitor) -> None:
            if self._holds_for_some(case):
                actor.provider.put_into_force(case)
            outcome, error = await self._outcome(actor.meet(case))
            told = self._told(error)
            code = self._code(error, case)
            certain = case.area != "userinfo" and not self._holds_for_some(case)
            assert code == case.expected or (case.area == "userinfo" and code is None), told
            if self._of_profile(case):
                self._was_met(case, actor, outcome)
            if isinstance(outcome, Completed):
                assert outcome.profile.id == self.expected.id
                assert outcome.profile.email_verified in (self.expected.email_verified, None, False)
                if certain:
                    self._as_expected(outcome.profile, first=False)
            shown = [told, repr(error), repr(vars(error)) if error else "", caplog.text]
            held = actor.held()
            assert not [secret[:8] for secret in held if any(secret in text for text in shown)]

        self._run(act, deadline=0.05 if case.name in SLOW else 10.0)

    # Rows of the profile

    def _of_profile(self, case: Case) -> bool:
        return case.name not in CASES

    def _holds_for_some(self, case: Case) -> bool:
        return self.profile is not None and any(case.name == each.name for each in self.profile.sometimes)

    def _code(self, error: ConnectorError | None, case: Case) -> str | None:
        """The code of an error; what a profile says of a grant is told by the name of RFC 6749 §5.2."""
        if error is None:
            return None
        return "invalid_grant" if self._of_profile(case) and isinstance(error, InvalidGrant) else error.code

    def _was_met(self, case: Case, actor: Visitor, outcome: object) -> None:
        """The quirk came up; more scope was granted unless refused; what was revoked is gone."""
        assert not case.edits or case.name in actor.provider.met, "nothing came up that this row is about"
        more = {actor.more_scope} - {""}
        if case.scenario is Scenario.MORE_SCOPE and isinstance(outcome, Completed):
            missing = self._connector(actor).missing_scopes(more, outcome.tokens.scopes)
            assert missing == more & actor.provider.refused_scopes
        if case.scenario is Scenario.REVOKE and isinstance(outcome, Completed):
            assert all(grant.revoked for grant in actor.provider.ledger.grants), "the grant stands"

    def test_refreshes(self) -> None:
        """A refresh token renews the access token; a rotated one comes along. RFC 6749 §6."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            tokens = (await actor.sign_in()).tokens
            if tokens.refresh_token is None:
                pytest.skip("this provider gives no refresh tokens")
            assert isinstance(connector, Refreshes)
            renewed = await connector.refresh(tokens)
            assert renewed.access_token != tokens.access_token
            if actor.provider.rotation != "none":
                assert renewed.refresh_token not in (None, tokens.refresh_token)

        self._run(act)

    def test_revokes(self) -> None:
        """Revoking reaches the provider, or says that it cannot. RFC 7009."""

        async def act(actor: Visitor) -> None:
            connector = self._connector(actor)
            tokens = (await actor.sign_in()).tokens
            asked = len(actor.emulation.urls)
            assert isinstance(connector, Revokes)
            try:
                await connector.revoke(tokens)
            except ConnectorMisconfigured:
                assert len(actor.emulation.urls) == asked
                server = await connector.server_metadata()
                assert server.revocation_endpoint is None
            else:
                assert len(actor.emulation.urls) > asked

        self._run(act)
