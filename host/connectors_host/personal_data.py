"""All that is known of one person: to be taken along, or to be forgotten."""

from __future__ import annotations

from typing import Any

from .accounts import COLUMNS
from .host import Host
from .permissions import missing


async def export_account(host: Host, owner: str) -> dict[str, Any]:
    """Everything that is kept about a person, as JSON; tokens by what is known of them, never themselves.

    Times are in seconds since the epoch.
    """
    account = await host.accounts.find(owner)
    host.tell("account.exported", owner=owner)
    return {
        "owner": owner,
        "account": {
            **{name: getattr(account, name) for name in COLUMNS},
            "edited": sorted(account.edited),
            "created_at": account.created_at,
            "updated_at": account.updated_at,
        }
        if account
        else None,
        "identities": [
            {
                "id": status.identity.id,
                "connector": status.identity.connector,
                "target": status.identity.target,
                "issuer": status.identity.key.issuer,
                "subject": status.identity.key.subject,
                "profile": dict(status.identity.profile),
                "created_at": status.identity.created_at,
                "updated_at": status.identity.updated_at,
                "tokens": {
                    "status": status.status.value,
                    "reason": status.reason.value if status.reason else None,
                    **(
                        {
                            "granted_to": status.state.ref.connector,
                            "client": status.state.ref.client,
                            "type": status.state.token_type,
                            "requested": sorted(status.state.requested),
                            "missing": missing(host, status.state),
                            "scopes": sorted(status.state.scopes),
                            "scopes_stated": status.state.scopes_stated,
                            "effective": sorted(status.state.effective),
                            "refreshable": status.state.has_refresh_token,
                            "expires_at": status.state.expires_at,
                            "refresh_expires_at": status.state.refresh_expires_at,
                            "retry_at": status.state.retry_at,
                            "failures": status.state.failures,
                            "generation": status.state.generation,
                            "created_at": status.state.created_at,
                            "updated_at": status.state.updated_at,
                            "used_at": status.state.used_at,
                        }
                        if status.state
                        else {}
                    ),
                },
            }
            for status in await host.hub.token_states(owner)
        ],
        "sessions": [
            {
                "connector": session.connector,
                "authenticated_at": session.authenticated_at,
                "created_at": session.created_at,
                "last_seen_at": session.last_seen_at,
                "expires_at": session.expires_at,
            }
            for session in await host.sessions.of_owner(owner)
        ],
        "verifications": await host.records.of_owner(owner),
        "applications": await host.grants.of_owner(owner),
        "bearer_tokens": [{"expires_at": until} for until in await host.bearers.of_owner(owner)],
        "events": [
            {
                "at": fact.at,
                "kind": fact.kind,
                "actor": fact.actor,
                "target": fact.target,
                "connector": fact.connector,
                "outcome": fact.outcome,
            }
            for fact in await host.trail.of_owner(owner)
        ],
    }


async def delete_account(host: Host, owner: str) -> None:
    """Forget a person: identities, with their tokens revoked or about to be, then all rows and sessions.

    The account goes last, so that what fails on the way can be tried again; where nobody can any more, as
    there is no way in left, ``finish_deletions`` does. An identity that was being
    linked meanwhile goes after it. The audit trail keeps what was done, under an owner id that says
    nothing any more, until its time is over.
    """
    await finish_deletions(host)
    await host.accounts.leave(owner)
    for _ in range(2):
        for identity in await host.hub.identities(owner):
            await host.hub.unlink(identity.id, owner=owner)
        await host.accounts.remove(owner)
    host.tell("account.deleted", owner=owner)


async def finish_deletions(host: Host) -> None:
    """Remove the accounts whose deletion was cut short after the last identity was gone.

    One that has an identity left stays: its owner can sign in, and ask again or think better of it.
    """
    for owner in await host.accounts.left_over():
        if not await host.hub.identities(owner):
            await host.accounts.remove(owner)
            host.tell("account.deleted", owner=owner)
