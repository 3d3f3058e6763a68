"""Whose account a new identity belongs to; every way to take an account over is tried."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from connectors_host.linking import unlink

from connectors_core.errors import LastIdentity, StorageError
from connectors_core.testing.provider import Person
from tests.host.conftest import BOB, Browser, PostingOIDC, Running, Start

SESSION = "__Host-connectors-session"
PENDING = "__Host-connectors-pending"
TRUSTED = 'linking = "verified_email"\nemail_domains = ["example.test"]'
KNOWN = 'email_domains = ["example.test"]'
NEVER = 'linking = "never"'

CLAIMS = {"name": "Alice Example", "email": "alice@example.test", "email_verified": True}
ALICE = Person(claims=CLAIMS)
UNVERIFIED = Person(claims={**CLAIMS, "email_verified": False})
UNSAID = Person(claims={key: value for key, value in CLAIMS.items() if key != "email_verified"})
MALLORY = Person(sub="mallory-1", claims={**CLAIMS, "name": "Mallory"})


@pytest.fixture
async def running(start: Start) -> Running:
    """Both connectors are trusted for the people's addresses."""
    opened: Running = await start(acme=KNOWN, posting=KNOWN)
    return opened


def fields(page: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', page.text))


async def owner(browser: Browser) -> str:
    return str((await browser.user())["claims"]["sub"])


async def identities(running: Running, browser: Browser) -> list[str]:
    return sorted(each.connector for each in await running.host.hub.identities(await owner(browser)))


async def signed_up(running: Running, person: Person = ALICE, connector: str = "acme") -> Browser:
    running.at_the_provider_sits(person)
    browser = running.browser()
    assert (await browser.sign_in(connector)).status_code == 302
    return browser


async def asked(running: Running, person: Person = ALICE) -> tuple[Browser, httpx.Response]:
    """Alice has an account; in a new browser the second connector brings her address."""
    await signed_up(running)
    running.at_the_provider_sits(person)
    browser = running.browser()
    return browser, await browser.sign_in("posting", return_to="/inbox")


async def test_ask_says_neither_whether_nor_how_an_account_exists(running: Running) -> None:
    browser, page = await asked(running)
    assert page.status_code == 409
    assert "Have you been here before?" in page.text
    assert SESSION not in browser.cookies
    assert await running.host.accounts.count() == 1
    for told in ("Alice", "alice@", "user_", "exists"):
        assert told not in page.text
    assert re.findall(r'href="/sign-in/(\w+)\?', page.text) == ["acme", "down", "posting"]
    assert "return_to=%2Finbox" in page.text


async def test_after_the_old_way_in_the_person_is_asked_and_the_identity_linked(running: Running) -> None:
    browser, _ = await asked(running)
    question = await browser.sign_in("acme")
    assert question.status_code == 200
    assert "Link Poster to your account?" in question.text
    assert await identities(running, browser) == ["acme"]
    done = await browser.post("/linking", form={**fields(question), "choice": "link"})
    assert (done.status_code, done.headers["location"]) == (303, "/inbox")
    assert await identities(running, browser) == ["acme", "posting"]
    assert await running.host.accounts.count() == 1
    other = running.browser()
    assert (await other.sign_in("posting")).status_code == 302
    assert await owner(other) == await owner(browser)


async def test_skip_links_nothing(running: Running) -> None:
    browser, _ = await asked(running)
    question = await browser.sign_in("acme")
    done = await browser.post("/linking", form={**fields(question), "choice": "skip"})
    assert done.status_code == 303
    assert await identities(running, browser) == ["acme"]
    again = await browser.post("/linking", form={**fields(question), "choice": "link"})
    assert again.status_code == 400


async def test_the_proof_must_come_within_ten_minutes(running: Running) -> None:
    browser, _ = await asked(running)
    running.clock.now += 601
    assert (await browser.sign_in("acme")).status_code == 302
    assert await identities(running, browser) == ["acme"]


async def test_the_answer_too_must_come_within_the_same_ten_minutes(running: Running) -> None:
    browser, _ = await asked(running)
    running.clock.now += 500
    question = await browser.sign_in("acme")
    running.clock.now += 101
    late = await browser.post("/linking", form={**fields(question), "choice": "link"})
    assert late.status_code == 400
    assert await identities(running, browser) == ["acme"]


async def test_an_account_of_ones_own_is_as_old_as_the_proof_for_it(running: Running) -> None:
    browser, page = await asked(running)
    running.clock.now += 590
    assert (await browser.post("/linking", form={**fields(page), "choice": "new"})).status_code == 303
    running.clock.now += 11
    refused = await browser.form("/account/link", connector="acme")
    assert (refused.status_code, "reauthentication_required" in refused.text) == (403, True)


async def test_two_decisions_take_ten_minutes_together(running: Running) -> None:
    """Signed in as Bob, she is asked whether to switch, and then for the way in that she used before."""
    await signed_up(running)
    browser = await signed_up(running, BOB)
    running.at_the_provider_sits(MALLORY)
    switch = await browser.sign_in("posting")
    assert switch.status_code == 200
    running.clock.now += 500
    page = await browser.post("/switch", form={**fields(switch), "choice": "switch"})
    assert page.status_code == 409
    running.clock.now += 101
    late = await browser.post("/linking", form={**fields(page), "choice": "new"})
    assert late.status_code in (400, 403)
    assert await running.host.accounts.count() == 2


async def test_another_browser_s_proof_links_nothing(running: Running) -> None:
    await asked(running)
    other = running.browser()
    assert (await other.sign_in("acme")).status_code == 302
    assert await identities(running, other) == ["acme"]


async def test_somebody_else_who_signs_in_meanwhile_is_not_offered_it(running: Running) -> None:
    browser, _ = await asked(running)
    running.at_the_provider_sits(BOB)
    assert (await browser.sign_in("acme")).status_code == 302
    assert PENDING not in browser.cookies
    assert await identities(running, browser) == ["acme"]


async def test_a_person_who_is_new_after_all_gets_an_account_of_their_own(running: Running) -> None:
    browser, page = await asked(running)
    done = await browser.post("/linking", form={**fields(page), "choice": "new"})
    assert (done.status_code, done.headers["location"]) == (303, "/inbox")
    assert await running.host.accounts.count() == 2
    assert await identities(running, browser) == ["posting"]


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"handle": "wrong"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"choice": "link"}, {}, 401),
    ],
)
async def test_the_form_of_a_person_without_a_session_belongs_to_their_browser(
    running: Running, change: dict[str, str], headers: dict[str, str | None], status: int
) -> None:
    browser, page = await asked(running)
    form = {**fields(page), "choice": "new", **change}
    assert (await browser.post("/linking", form=form, headers=headers)).status_code == status
    assert (await running.browser().post("/linking", form=form)).status_code == 403
    assert await running.host.accounts.count() == 1


async def test_programs_are_told_linking_required(running: Running) -> None:
    await signed_up(running)
    browser = running.browser()
    started = await browser.begin("posting")
    landing = await running.provider.visit(started.headers["location"])
    kept = await browser.post("/callback/posting", form=dict(landing.parameters), cookies=False)
    answer = await browser.get(kept.headers["location"], headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "linking_required")


@pytest.mark.parametrize("person", [UNVERIFIED, UNSAID], ids=["false", "unsaid"])
@pytest.mark.parametrize("policy", ["", TRUSTED], ids=["ask", "verified_email"])
async def test_an_address_that_nobody_verified_reaches_no_account_and_tells_of_none(
    start: Start, person: Person, policy: str
) -> None:
    """A provider that passes on what its users type must not open, or reveal, a stranger's account."""
    running = await start(posting=policy)
    victim = await signed_up(running)
    running.at_the_provider_sits(Person(sub="mallory-1", claims=person.claims))
    attacker = running.browser()
    assert (await attacker.sign_in("posting")).status_code == 302
    assert await owner(attacker) != await owner(victim)


async def test_verified_email_links_a_verified_address_of_a_trusted_domain(start: Start) -> None:
    running = await start(acme=KNOWN, posting=TRUSTED)
    before = await signed_up(running)
    after = await signed_up(running, connector="posting")
    assert await owner(after) == await owner(before)
    assert await identities(running, after) == ["acme", "posting"]


@pytest.mark.parametrize(
    "policy",
    [
        'linking = "verified_email"',
        'linking = "verified_email"\nemail_domains = ["other.test"]',
        'linking = "verified_email"\nemail_domains = ["test"]',
        'linking = "ask"',
        'linking = "ask"\nemail_domains = ["other.test"]',
    ],
)
async def test_who_is_not_trusted_for_an_address_reaches_no_account_by_it_and_learns_of_none(
    start: Start, policy: str
) -> None:
    """Whoever gets some provider to verify a stranger's address is answered as if nobody had it."""
    seen = []
    for known in (True, False):
        running = await start(acme=KNOWN, posting=policy, database="sqlite://")
        if known:
            await signed_up(running)
        running.at_the_provider_sits(MALLORY)
        browser = running.browser()
        page = await browser.sign_in("posting", return_to="/inbox")
        seen.append((page.status_code, page.headers["location"], sorted(browser.cookies), page.content))
        assert await identities(running, browser) == ["posting"]
        assert await running.host.accounts.count() == 1 + known
    assert seen[0] == seen[1]
    assert seen[0][:2] == (302, "/inbox")


@pytest.mark.parametrize(
    ("listed", "vouched", "linked"),
    [
        ([], {"example.test"}, True),
        (["example.test"], {"example.test"}, True),
        ([], {"gmail.test"}, False),
        (["example.test"], {"gmail.test"}, False),
        (["other.test"], {"example.test"}, False),
    ],
)
async def test_a_connector_that_knows_its_domains_narrows_the_operator_s_list(
    start: Start, monkeypatch: pytest.MonkeyPatch, listed: list[str], vouched: set[str], linked: bool
) -> None:
    """As Google does, which is the authority of gmail.com and of the organisation in ``hd`` alone."""
    monkeypatch.setattr(PostingOIDC, "email_domains", lambda *_: frozenset(vouched), raising=False)
    running = await start(acme=KNOWN, posting=f'linking = "verified_email"\nemail_domains = {listed}')
    browser, page = await asked(running)
    assert page.status_code == 302
    assert await identities(running, browser) == (["acme", "posting"] if linked else ["posting"])


@pytest.mark.parametrize(
    ("first", "policy"),
    [
        (UNVERIFIED, KNOWN),
        (UNSAID, KNOWN),
        (ALICE, ""),
        (ALICE, 'email_domains = ["other.test"]'),
        (ALICE, 'linking = "never"'),
    ],
    ids=["false", "unsaid", "by nobody trusted", "by one trusted for others", "by one that links nothing"],
)
async def test_who_signs_up_first_under_a_stranger_s_address_receives_nothing(
    start: Start, first: Person, policy: str
) -> None:
    """Pre-hijacking: the account waits under the victim's address, and the victim comes with proof."""
    running = await start(acme=policy, posting=TRUSTED)
    attacker = await signed_up(running, Person(sub="mallory-1", claims=first.claims))
    running.at_the_provider_sits(ALICE)
    victim = running.browser()
    page = await victim.sign_in("posting")
    assert page.status_code == 409
    assert await identities(running, attacker) == ["acme"]
    done = await victim.post("/linking", form={**fields(page), "choice": "new"})
    assert done.status_code == 303
    assert await owner(victim) != await owner(attacker)


async def test_whom_one_moves_to_by_a_later_sign_in_proves_nothing_either(start: Start) -> None:
    """The attacker's address is their own at first; the provider then passes on what they typed."""
    running = await start(acme='sync_profile = "sign_in"', posting=TRUSTED)
    own = {**CLAIMS, "email": "mallory@example.test"}
    attacker = await signed_up(running, Person(sub="mallory-1", claims=own))
    running.at_the_provider_sits(MALLORY)
    await attacker.sign_in()
    assert (await attacker.user())["claims"]["email"] == "alice@example.test"
    running.at_the_provider_sits(ALICE)
    assert (await running.browser().sign_in("posting")).status_code == 409


async def test_a_new_address_is_not_verified_by_the_word_on_the_old_one(start: Start) -> None:
    running = await start(acme=f'{KNOWN}\nsync_profile = "sign_in"')
    browser = await signed_up(running)
    said = {"email": "other@example.test", "phone_number": "+4930123"}
    running.at_the_provider_sits(Person(claims=said))
    await browser.sign_in()
    [identity] = await running.host.hub.identities(await owner(browser))
    assert identity.profile["email"] == "other@example.test"
    assert "email_verified" not in identity.profile
    running.at_the_provider_sits(Person(claims={}))
    await browser.sign_in()
    [identity] = await running.host.hub.identities(await owner(browser))
    assert identity.profile["email"] == "other@example.test"


@pytest.mark.parametrize(
    ("listed", "vouched", "status"),
    [([], "example.test", 302), (["other.test"], "example.test", 409), (["example.test"], "gmail.test", 409)],
)
async def test_who_was_first_is_trusted_as_far_as_the_connector_vouched_then(
    start: Start, monkeypatch: pytest.MonkeyPatch, listed: list[str], vouched: str, status: int
) -> None:
    monkeypatch.setattr(PostingOIDC, "email_domains", lambda *_: frozenset({vouched}), raising=False)
    running = await start(acme=TRUSTED, posting=f"email_domains = {listed}")
    await signed_up(running, MALLORY, "posting")
    running.at_the_provider_sits(ALICE)
    assert (await running.browser().sign_in("acme")).status_code == status


async def test_a_connector_that_was_turned_off_vouches_for_nobody(start: Start) -> None:
    running = await start(acme=KNOWN, posting=TRUSTED)
    await signed_up(running)
    turned_off = await start(acme=f"{KNOWN}\nenabled = false", posting=TRUSTED)
    turned_off.at_the_provider_sits(Person(sub="alice-2", claims=CLAIMS))
    assert (await turned_off.browser().sign_in("posting")).status_code == 409


async def test_an_explicit_false_is_never_overridden_by_another_provider_s_true(start: Start) -> None:
    running = await start(acme=KNOWN, posting=TRUSTED)
    browser = await signed_up(running)
    account = await owner(browser)
    identity = (await running.host.hub.identities(account))[0]
    denied = {**identity.profile, "email_verified": False}
    await running.host.hub.update_identity_profile(identity.id, denied, owner=account)
    running.at_the_provider_sits(ALICE)
    assert (await running.browser().sign_in("posting")).status_code == 409


async def test_two_accounts_of_one_verified_address_are_never_chosen_between(start: Start) -> None:
    running = await start(acme=f"{NEVER}\n{KNOWN}", posting=TRUSTED)
    await signed_up(running)
    await signed_up(running, MALLORY)
    running.at_the_provider_sits(ALICE)
    assert (await running.browser().sign_in("posting")).status_code == 409


async def test_letters_that_only_look_alike_are_other_mailboxes(start: Start) -> None:
    running = await start(acme=KNOWN, posting=TRUSTED)
    await signed_up(running)
    dotless = {**CLAIMS, "email": "al\u0131ce@example.test"}
    attacker = await signed_up(running, Person(sub="mallory-1", claims=dotless), "posting")
    assert await identities(running, attacker) == ["posting"]


async def test_never_links_nothing_and_asks_nothing(start: Start) -> None:
    running = await start(posting=NEVER)
    before = await signed_up(running)
    after = await signed_up(running, connector="posting")
    assert await owner(after) != await owner(before)
    assert (await before.form("/account/link", connector="posting")).status_code == 404


async def test_one_subject_at_two_connectors_is_two_people(start: Start) -> None:
    """Discord 1234 is not GitHub 1234."""
    running = await start(posting=NEVER)
    one = await signed_up(running, Person(sub="1234", claims={}))
    two = await signed_up(running, Person(sub="1234", claims={}), "posting")
    assert await owner(one) != await owner(two)


async def test_what_a_page_or_a_program_asks_for_does_not_decide_on_linking(running: Running) -> None:
    victim = await signed_up(running)
    running.at_the_provider_sits(Person(sub="mallory-1", claims=UNVERIFIED.claims))
    attacker = running.browser()
    started = await attacker.get("/sign-in/posting?link=true&linkSocialIdentity=true&purpose=link")
    await attacker.come_back(started)
    assert await owner(attacker) != await owner(victim)


async def test_what_comes_beside_the_signed_answer_is_nobody_s_address(start: Start) -> None:
    """Apple's ``user`` is not signed: whoever posts the form writes what they want into it."""
    running = await start(posting=TRUSTED)
    victim = await signed_up(running)
    running.at_the_provider_sits(Person(sub="mallory-1", claims={}))
    attacker = running.browser()
    landing = await running.provider.visit((await attacker.begin("posting")).headers["location"])
    said = {"email": "alice@example.test", "email_verified": "true"}
    forged = {**dict(landing.parameters), **said, "user": json.dumps(said)}
    kept = await attacker.post("/callback/posting", form=forged, cookies=False)
    await attacker.get(kept.headers["location"])
    claims = (await attacker.user())["claims"]
    assert "email" not in claims
    assert claims["sub"] != await owner(victim)


async def test_an_answer_that_the_attacker_began_signs_no_victim_in(running: Running) -> None:
    """Login CSRF: state and code are the attacker's, the browser is the victim's."""
    attacker, victim = running.browser(), running.browser()
    landing = await running.provider.visit((await attacker.begin("acme")).headers["location"])
    for _ in range(2):
        page = await victim.get("/callback/acme", query=landing.query)
        assert (page.status_code, SESSION in victim.cookies) == (400, False)
        await victim.begin("acme")
    assert await running.host.accounts.count() == 0


async def test_a_name_that_is_said_only_once_outlives_the_question(start: Start) -> None:
    """Some providers name a person at the first consent and never again."""
    running = await start(acme='sync_profile = "sign_in"', posting='sync_profile = "sign_in"')
    nameless = {key: value for key, value in CLAIMS.items() if key != "name"}
    await signed_up(running, Person(claims=nameless))
    running.at_the_provider_sits(ALICE)
    browser = running.browser()
    await browser.sign_in("posting")
    running.at_the_provider_sits(Person(claims=nameless))
    question = await browser.sign_in("acme")
    await browser.post("/linking", form={**fields(question), "choice": "link"})
    assert (await browser.user())["claims"]["name"] == "Alice Example"
    await browser.sign_in("posting")
    assert (await browser.user())["claims"]["name"] == "Alice Example"


async def test_a_link_ends_within_ten_minutes_of_the_sign_in_too(running: Running) -> None:
    browser = await signed_up(running)
    running.clock.now += 590
    gone = await browser.begin_at_account("/account/link", connector="posting")
    running.clock.now += 11
    running.at_the_provider_sits(Person(sub="alice-2", claims=CLAIMS))
    back = await browser.come_back(gone)
    assert (back.status_code, "reauthentication_required" in back.text) == (403, True)
    assert await identities(running, browser) == ["acme"]


async def test_linking_at_account_adds_an_identity_with_its_own_fields(running: Running) -> None:
    browser = await signed_up(running)
    running.at_the_provider_sits(BOB)
    done = await browser.link()
    assert (done.status_code, done.headers["location"]) == (302, "/account?done=linked")
    assert await identities(running, browser) == ["acme", "posting"]
    claims = (await browser.user())["claims"]
    assert (claims["name"], claims["email"]) == ("Alice Example", "alice@example.test")
    other = await signed_up(running, BOB, "posting")
    assert await owner(other) == await owner(browser)


async def test_a_person_may_have_several_identities_of_one_target(running: Running) -> None:
    browser = await signed_up(running)
    running.at_the_provider_sits(BOB)
    await browser.link("acme")
    assert await identities(running, browser) == ["acme", "acme"]


async def test_an_identity_of_somebody_else_is_refused_without_saying_whose(running: Running) -> None:
    bob = await signed_up(running, BOB, "posting")
    alice = await signed_up(running)
    running.at_the_provider_sits(BOB)
    page = await alice.link()
    assert page.status_code == 409
    assert "identity_already_linked" in page.text
    assert await owner(bob) not in page.text
    assert await identities(running, alice) == ["acme"]
    assert 'href="/account"' in page.text


async def test_whoever_links_another_account_of_a_provider_may_choose_it_there(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    prompts = []
    for connector in ("posting", "acme"):
        begun = await browser.begin_at_account("/account/link", connector=connector)
        prompts.append(parse_qs(urlsplit(begun.headers["location"]).query).get("prompt"))
    assert prompts == [None, ["select_account"]]


async def test_a_link_that_somebody_else_opens_serves_nobody(running: Running) -> None:
    """The attacker begins, the victim ends up at the callback: signed in, signed out, or with the cookie."""
    attacker, victim = await signed_up(running, BOB), await signed_up(running)
    started = await attacker.begin_at_account("/account/link", connector="posting")
    tokens = running.provider.requests.count("token")
    landing = await running.provider.visit(started.headers["location"])
    kept = await victim.post("/callback/posting", form=dict(landing.parameters), cookies=False)
    assert (await victim.get(kept.headers["location"])).status_code == 400
    victim.cookies["__Host-connectors-transaction"] = attacker.cookies["__Host-connectors-transaction"]
    kept = await victim.post("/callback/posting", form=dict(landing.parameters), cookies=False)
    answer = await victim.get(kept.headers["location"])
    assert (answer.status_code, "owner_mismatch" in answer.text) == (409, True)
    assert running.provider.requests.count("token") == tokens
    assert await identities(running, victim) == ["acme"]
    assert await identities(running, attacker) == ["acme"]


async def test_the_page_in_between_leads_its_own_person_alone(running: Running) -> None:
    attacker, victim = await signed_up(running, BOB), await signed_up(running)
    page = await attacker.form("/account/link", connector="posting")
    (href,) = set(re.findall(r"/account/continue\?h=[\w%-]+", page.text))
    assert (await victim.get(href)).status_code == 400
    assert (await running.browser().get(href)).status_code == 401


async def test_signing_out_between_begin_and_callback_links_nothing(running: Running) -> None:
    browser = await signed_up(running)
    account = await owner(browser)
    started = await browser.begin_at_account("/account/link", connector="posting")
    await browser.post("/sign-out")
    tokens = running.provider.requests.count("token")
    answer = await browser.come_back(started)
    assert answer.status_code in (404, 409)
    assert running.provider.requests.count("token") == tokens
    assert len(await running.host.hub.identities(account)) == 1


async def test_a_connector_without_sign_in_still_links(start: Start) -> None:
    running = await start(posting="sign_in = false")
    browser = await signed_up(running)
    assert (await browser.link()).headers["location"] == "/account?done=linked"
    assert (await browser.begin("posting")).status_code == 404


async def with_two(running: Running) -> tuple[Browser, list[Any]]:
    browser = await signed_up(running)
    running.at_the_provider_sits(BOB)
    await browser.link()
    found = await running.host.hub.identities(await owner(browser))
    return browser, sorted(found, key=lambda identity: identity.connector)


async def test_unlinking_takes_the_identity_and_what_was_signed_in_with_it(running: Running) -> None:
    browser, (_, second) = await with_two(running)
    through = await signed_up(running, BOB, "posting")
    done = await browser.form("/account/unlink", identity=second.id)
    assert done.headers["location"] == "/account?done=unlinked"
    assert await identities(running, browser) == ["acme"]
    assert (await through.user())["isAuthenticated"] is False


async def test_unlinking_ends_what_any_connector_of_the_group_let_in(start: Start) -> None:
    """Connectors of one group share identities: a link that is taken back let people in through each."""
    shared = 'identity_group = "one"'
    running = await start(acme=shared, posting=shared)
    browser, (_, second) = await with_two(running)
    through = await signed_up(running, BOB, "acme")
    assert await owner(through) == await owner(browser)
    done = await browser.form("/account/unlink", identity=second.id)
    assert done.headers["location"] == "/account?done=unlinked"
    assert (await through.user())["isAuthenticated"] is False
    assert (await browser.user())["isAuthenticated"] is True


async def test_an_unlink_that_fails_on_the_way_leaves_nobody_in_whom_no_retry_could_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, (_, second) = await with_two(running)
    through = await signed_up(running, BOB, "posting")
    unlinked = running.host.hub.unlink

    async def and_then_the_database_goes(*args: Any, **options: Any) -> bool:
        await unlinked(*args, **options)
        raise StorageError("the answer is lost")

    with monkeypatch.context() as broken:
        broken.setattr(running.host.hub, "unlink", and_then_the_database_goes)
        assert (await browser.form("/account/unlink", identity=second.id)).status_code == 503
    assert await identities(running, browser) == ["acme"]
    assert (await through.user())["isAuthenticated"] is False
    assert (await browser.user())["isAuthenticated"] is True


async def test_the_last_way_in_stays(start: Start) -> None:
    running = await start()
    browser = await signed_up(running)
    (only,) = await running.host.hub.identities(await owner(browser))
    page = await browser.form("/account/unlink", identity=only.id)
    assert page.status_code == 422
    assert "last_identity" in page.text
    assert await identities(running, browser) == ["acme"]


async def test_an_identity_one_cannot_sign_in_with_is_no_way_in(start: Start) -> None:
    running = await start(posting="sign_in = false")
    browser, (first, second) = await with_two(running)
    assert (await browser.form("/account/unlink", identity=first.id)).status_code == 422
    assert (await browser.form("/account/unlink", identity=second.id)).status_code == 303


async def test_two_unlinks_at_once_leave_one(running: Running) -> None:
    _, theirs = await with_two(running)
    answers = await asyncio.gather(
        *(unlink(running.host, identity) for identity in theirs), return_exceptions=True
    )
    assert sum(answer is True for answer in answers) == 1
    assert sum(isinstance(answer, LastIdentity) for answer in answers) == 1


@pytest.mark.parametrize("path", ["/account/link", "/account/unlink", "/account/delete", "/linking"])
async def test_what_changes_ways_in_needs_a_sign_in_of_the_last_ten_minutes(
    running: Running, path: str
) -> None:
    browser, (_, second) = await with_two(running)
    running.clock.now += 601
    form = {"connector": "posting", "identity": second.id, "sure": "yes", "choice": "link", "handle": "x"}
    page = await browser.form(path, **form)
    assert (page.status_code, "reauthentication_required" in page.text) == (403, True)
    if path == "/linking":
        return
    assert 'href="/account/confirm"' in page.text
    confirm = await browser.get("/account/confirm")
    assert re.findall(r'href="(/sign-in/[^"]+)"', confirm.text) == [
        "/sign-in/acme?return_to=%2Faccount",
        "/sign-in/posting?return_to=%2Faccount",
    ]
    running.at_the_provider_sits(ALICE)
    back = await browser.sign_in("acme", return_to="/account")
    assert back.headers["location"] == "/account"
    assert (await browser.form(path, **form)).status_code in (200, 303)


async def test_another_person_s_identity_is_not_found(running: Running) -> None:
    bob = await signed_up(running, BOB)
    (his,) = await running.host.hub.identities(await owner(bob))
    alice = await signed_up(running)
    for path in ("/account/unlink", "/account/reconnect"):
        mine = await alice.form(path, identity="identity_unknown")
        theirs = await alice.form(path, identity=his.id)
        assert (mine.status_code, theirs.status_code) == (404, 404)
        assert mine.text == theirs.text
