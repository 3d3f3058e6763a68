"""What is held against a provider's documents: its responses and claims, wrong in every place."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ...errors import ConnectorError
from ...flow import Completed
from ...oidc import OIDCConnector
from ...profile import Profile
from ..documents import ABSENT, MISSING, ODD, Path, changed_where, leaves, places, with_value
from ..emulation import Visitor
from ..provider import Fault, Provider, Response, case
from .world import World

_DEEP = Response(headers={"content-type": "application/json"}, body=b'{"a":' * 100_000)
_VALUES: tuple[Any, ...] = (None, [], {}, 7, "text", True, [None], [[]], [7])
_BROKEN: Mapping[str, Any] = {
    "unauthorized": Response.json({"message": "no"}, status=401),
    "forbidden": Response.json({"message": "no"}, status=403),
    "not found": Response.json({"message": "no"}, status=404),
    "throttled": Response.json({}, status=429, retry_after="7"),
    "broken": Response.html("<h1>oops</h1>", status=500),
    "redirect": Response.redirect("https://other.test/"),
    "a page": Response.html("<h1>Sign in</h1>"),
    "nothing": Response(),
    "too deep": _DEEP,
    "reset": Fault.RESET,
    "cut": Fault.CUT,
    **{f"the JSON value {json.dumps(value)}": value for value in _VALUES},
}


class Answers(World):
    """The tests about what the provider says."""

    async def _documents(self, actor: Visitor) -> dict[str, Any]:
        """What a sign-in reads, by its place; the claims have the empty name."""
        given: Mapping[str, Any] = self.responses
        if self.profile is not None:
            await actor.sign_in()
            given = {**actor.emulation.said, **given}
        documents = {text: document for text, document in given.items() if isinstance(document, dict | list)}
        claims = self._claims_stated(actor)
        return {**documents, "": dict(claims)} if claims else documents

    def _claims_stated(self, actor: Visitor) -> Mapping[str, Any]:
        if self.profile is None or not actor.provider.openid:
            return self.claims
        return {**self.profile.person.claims, **self.claims}

    async def _sign_in_unlike(
        self, actor: Visitor, unlike: Mapping[str, Any]
    ) -> tuple[Completed | None, ConnectorError | None]:
        """Sign in with other documents; that of the empty name are the claims."""
        actor.emulation.unlike = {text: document for text, document in unlike.items() if text}
        stated = self._claims_stated(actor)
        claims = unlike.get("", stated)
        gone = stated.keys() - claims.keys()

        def edit(own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
            return {name: value for name, value in {**own, **claims}.items() if name not in gone}

        def edit_userinfo(own: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
            return {name: claims.get(name, value) for name, value in own.items() if name not in gone}

        other = case("kit.unlike", "this test", "other claims", None, claims=edit, userinfo=edit_userinfo)
        actor.provider.active.append(other)
        try:
            outcome, error = await self._outcome(actor.sign_in())
        finally:
            actor.provider.active.remove(other)
            actor.emulation.unlike = {}
        assert outcome is None or isinstance(outcome, Completed)
        return outcome, error

    def test_any_answer_is_contained(self) -> None:
        """Odd documents and broken answers end in an exception of ours or in a sound profile."""

        async def act(actor: Visitor) -> None:
            documents = await self._documents(actor)
            for text, document in documents.items():
                for path, odd in itertools.product(places(document), ODD):
                    changed = {text: with_value(document, path, odd)}
                    outcome, _ = await self._sign_in_unlike(actor, changed)
                    if outcome is not None:
                        _check_sound(outcome.profile)
            for text, answer in itertools.product({*self.responses, *documents} - {""}, _BROKEN.values()):
                outcome, error = await self._sign_in_unlike(actor, {text: answer})
                if outcome is not None:
                    _check_sound(outcome.profile)
                told = self._told(error)
                assert not [secret[:8] for secret in actor.held() if secret in told]

        self._run(act)

    def test_missing_id_is_an_error(self) -> None:
        """Without the provider's identifier of the person there is no profile."""

        def holds_id(path: Path, value: Any) -> bool:
            return str(value) == self.expected.id and not isinstance(value, bool)

        choices: list[Callable[[Path, Any], bool]] = [_named(key) for key in self.id_keys] or [holds_id]

        async def act(actor: Visitor) -> None:
            documents = await self._documents(actor)
            openid = isinstance(self._connector(actor), OIDCConnector)
            for chosen, value in itertools.product(choices, ABSENT):
                unlike = {t: changed_where(d, chosen, value) for t, d in documents.items()}
                if openid and not any(chosen(*leaf) for d in documents.values() for leaf in leaves(d)):
                    return  # the id is the ID token's sub: the cases take that away
                assert unlike != documents, "no response holds expected.id: name its members in id_keys"
                outcome, error = await self._sign_in_unlike(actor, unlike)
                assert error is not None, f"a profile without an id: {outcome and outcome.profile.id!r}"

        self._run(act)

    def test_unverified_email_stays_unverified(self) -> None:
        """What the provider does not call verified, or calls unverified, is not verified."""

        def tells(path: Path, value: Any) -> bool:
            return any(part in str(path[-1]).lower() for part in self.email_verified_by)

        async def act(actor: Visitor) -> None:
            documents = await self._documents(actor)
            said = [leaf for d in documents.values() for leaf in leaves(d) if tells(*leaf)]
            if self.expected.email_verified and not self._connector(actor).profile_map.trust_email_because:
                assert said, "nothing in the responses says that the address is verified: email_verified_by"
            trusted = bool(self._connector(actor).profile_map.trust_email_because)
            for value in (
                False,
                "false",
                0,
                0.0,
                "no",
                *(() if trusted else (*ABSENT, [False], {"a": False})),
            ):
                unlike = {t: changed_where(d, tells, value) for t, d in documents.items()}
                outcome, _ = await self._sign_in_unlike(actor, unlike)
                if outcome is not None and said:
                    told = "left out" if value is MISSING else repr(value)
                    verified = outcome.profile.email_verified
                    assert verified is not True, f"verified, where that is {told}"

        self._run(act)


def _named(key: str) -> Callable[[Path, Any], bool]:
    return lambda path, value: path[-1] == key


def _check_sound(profile: Profile) -> None:
    """A profile of the types that it promises, without control characters; no missing address is verified."""
    assert isinstance(profile.id, str)
    assert 0 < len(profile.id) <= 255
    assert profile.id.strip()
    for each in fields(profile):
        value = getattr(profile, each.name)
        if each.name.endswith("_verified"):
            assert value in (True, False, None)
            assert isinstance(value, bool | None)
        elif each.name != "raw":
            assert value is None or isinstance(value, str)
            assert value is None or "\x00" not in value
    assert profile.email or profile.email_verified is None
    assert profile.phone or profile.phone_verified is None
