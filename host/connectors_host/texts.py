"""Everything the pages say, in every language they say it in."""

from __future__ import annotations

from collections.abc import Mapping

from .account_texts import ACCOUNT

_PAGES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "sign_in": "Sign in",
        "sign_up": "Create your account",
        "choose": "Choose how you want to continue.",
        "choose_new": "Choose an account that you already have elsewhere.",
        "continue_with": "Continue with {name}",
        "no_connectors": "No way to sign in has been set up here yet.",
        "have_account": "Already have an account?",
        "no_account": "New here?",
        "signed_in": "You are signed in",
        "signed_in_as": "Signed in as {name}",
        "email_verified": "verified",
        "email_unverified": "not verified",
        "continue": "Continue",
        "sign_out": "Sign out",
        "use_another": "Use another account",
        "sign_out_question": "Sign out?",
        "sign_out_body": "You are signed in as {name}.",
        "stay": "Stay signed in",
        "signed_out": "You are signed out",
        "signed_out_body": "You can close this window, or sign in again.",
        "verified": "{name} has answered",
        "verified_body": "You can close this window and go back to the application.",
        "signing_out": "Signing you out at {name}",
        "signing_out_body": "You are signed out here. {name} is asked to end its session too.",
        "switch": "Which account do you want to use?",
        "switch_body": "You are signed in as {current}, and {provider} has just confirmed another account.",
        "switch_keep": "Stay signed in as {current}",
        "switch_over": "Sign out and continue as {other}",
        "switch_note": "Nothing has been changed or linked.",
        "current_account": "Signed in now",
        "other_account": "Confirmed by {provider}",
        "start_again": "Start again",
        "error_reference": "Error code",
        "provider_says": "{name} says:",
        "the_provider": "the provider",
    },
    "ja": {
        "sign_in": "サインイン",
        "sign_up": "アカウントを作成",
        "choose": "続ける方法を選んでください。",
        "choose_new": "すでにお持ちのアカウントを選んでください。",
        "continue_with": "{name}で続ける",
        "no_connectors": "サインインの方法がまだ設定されていません。",
        "have_account": "アカウントをお持ちですか？",
        "no_account": "初めての方は",
        "signed_in": "サインインしています",
        "signed_in_as": "{name} としてサインイン中",
        "email_verified": "確認済み",
        "email_unverified": "未確認",
        "continue": "続ける",
        "sign_out": "サインアウト",
        "use_another": "別のアカウントを使う",
        "sign_out_question": "サインアウトしますか？",
        "sign_out_body": "{name} としてサインインしています。",
        "stay": "サインインしたままにする",
        "signed_out": "サインアウトしました",
        "signed_out_body": "このウィンドウを閉じるか、もう一度サインインしてください。",
        "verified": "{name} から回答がありました",
        "verified_body": "このウィンドウを閉じて、アプリケーションに戻ってください。",
        "signing_out": "{name} からサインアウトしています",
        "signing_out_body": "ここからはサインアウトしました。{name} のセッションも終了します。",
        "switch": "どのアカウントを使いますか？",
        "switch_body": (
            "現在 {current} としてサインインしていますが、{provider} で別のアカウントが確認されました。"
        ),
        "switch_keep": "{current} のままサインインを続ける",
        "switch_over": "サインアウトして {other} で続ける",
        "switch_note": "変更や連携は何も行われていません。",
        "current_account": "現在のアカウント",
        "other_account": "{provider} で確認済み",
        "start_again": "最初からやり直す",
        "error_reference": "エラーコード",
        "provider_says": "{name} からのメッセージ:",
        "the_provider": "プロバイダー",
    },
}

PAGES: Mapping[str, Mapping[str, str]] = {
    language: {**texts, **ACCOUNT[language]} for language, texts in _PAGES.items()
}

ERRORS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "access_denied": (
            "Sign-in was cancelled",
            "The request was declined at {name}. Nothing was changed.",
        ),
        "login_required": ("Sign in at {name} first", "{name} does not know who you are in this browser."),
        "consent_required": ("{name} needs your consent", "Start again, and {name} will ask you."),
        "interaction_required": (
            "{name} needs to ask you something",
            "Start again, and {name} will ask you.",
        ),
        "state_mismatch": (
            "This sign-in cannot be continued",
            "It was begun in another browser or window, or your browser does not keep cookies for this site.",
        ),
        "transaction_expired": (
            "That took too long",
            "For your safety a sign-in must be completed within ten minutes.",
        ),
        "transaction_consumed": (
            "This sign-in is already done",
            "The page you came back to has done its work and cannot be used twice.",
        ),
        "issuer_mismatch": (
            "This answer came from somewhere else",
            "It does not come from the provider that was asked, so it was not used.",
        ),
        "invalid_request": (
            "This link does not work",
            "The address is incomplete or was changed on the way.",
        ),
        "invalid_scope": (
            "That permission cannot be asked for",
            "The link asks for more than this site allows.",
        ),
        "sign_up_closed": (
            "No new accounts",
            "You were recognised, but there is no account for you here and new ones are not accepted.",
        ),
        "sign_in_denied": (
            "You cannot sign in here",
            "You were recognised at {name}, and this site does not let this account in.",
        ),
        "reauthentication_required": (
            "First confirm that it is you",
            "Your last sign-in is more than ten minutes ago, so this needs another one.",
        ),
        "identity_already_linked": (
            "This account cannot be linked",
            "It is already in use here. Nothing was changed.",
        ),
        "last_identity": (
            "This is your only way to sign in",
            "Link another account first; then this one can be unlinked.",
        ),
        "verification_mismatch": (
            "Another account answered",
            "Choose the account at {name} that is linked here. Nothing was changed.",
        ),
        "token_storage_disabled": ("No permissions are kept here", "{name} is used for signing in alone."),
        "owner_mismatch": (
            "This was begun by somebody else",
            "Sign in as the one who began, and start again. Nothing was linked.",
        ),
        "unauthenticated": ("You are not signed in", "Sign in to go on."),
        "csrf_failed": (
            "This request was not accepted",
            "It does not seem to come from a page of this site.",
        ),
        "not_found": ("There is nothing here", "The address may be mistyped, or what was here is gone."),
        "method_not_allowed": (
            "This cannot be done here",
            "The address is used in a way that it is not meant for.",
        ),
        "misdirected_request": ("Wrong address", "This server does not answer under this name."),
        "throttled": ("Too many tries", "Wait a minute, then try again."),
        "connector_misconfigured": (
            "Sign-in with {name} is not set up correctly",
            "Whoever runs this site must repair it. Another way to sign in may work.",
        ),
        "provider_error": (
            "{name} gave an answer that cannot be used",
            "You were not signed in. Try again, or use another way to sign in.",
        ),
        "provider_unavailable": (
            "{name} cannot be reached",
            "Try again in a moment. Other ways to sign in keep working.",
        ),
        "temporarily_unavailable": ("Not available right now", "Try again in a moment."),
        "server_error": ("Something went wrong here", "It is not your fault. Try again in a moment."),
    },
    "ja": {
        "access_denied": (
            "サインインがキャンセルされました",
            "{name} で要求が拒否されました。何も変更されていません。",
        ),
        "login_required": (
            "先に {name} にサインインしてください",
            "このブラウザーでは {name} にサインインしていません。",
        ),
        "consent_required": (
            "{name} での同意が必要です",
            "もう一度始めると、{name} の確認画面が表示されます。",
        ),
        "interaction_required": (
            "{name} での確認が必要です",
            "もう一度始めると、{name} の確認画面が表示されます。",
        ),
        "state_mismatch": (
            "このサインインは続けられません",
            "別のブラウザーやウィンドウで始められたか、Cookie が保存されていません。",
        ),
        "transaction_expired": ("時間切れです", "安全のため、サインインは 10 分以内に完了してください。"),
        "transaction_consumed": (
            "このサインインは完了しています",
            "このページはすでに使われたため、もう一度使うことはできません。",
        ),
        "issuer_mismatch": (
            "別の場所からの応答です",
            "要求したプロバイダーからの応答ではないため、使用しませんでした。",
        ),
        "invalid_request": ("このリンクは使えません", "アドレスが不完全か、途中で変更されています。"),
        "invalid_scope": ("その権限は要求できません", "このサイトで許可されていない権限です。"),
        "sign_up_closed": (
            "新しいアカウントは受け付けていません",
            "確認はできましたが、このサイトにアカウントがなく、新規登録は受け付けていません。",
        ),
        "sign_in_denied": (
            "ここではサインインできません",
            "{name} での確認はできましたが、このサイトではこのアカウントを使えません。",
        ),
        "reauthentication_required": (
            "ご本人の確認が必要です",
            "前回のサインインから 10 分以上たっているため、もう一度サインインしてください。",
        ),
        "identity_already_linked": (
            "このアカウントは連携できません",
            "すでにこのサイトで使われています。何も変更されていません。",
        ),
        "last_identity": (
            "唯一のサインイン方法です",
            "先に別のアカウントを連携すると、解除できるようになります。",
        ),
        "verification_mismatch": (
            "別のアカウントから応答がありました",
            "{name} で、連携中のアカウントを選んでください。何も変更されていません。",
        ),
        "token_storage_disabled": ("許可は保存されていません", "{name} はサインインにのみ使われます。"),
        "owner_mismatch": (
            "別の方が始めた操作です",
            "始めた方としてサインインし、最初からやり直してください。何も連携されていません。",
        ),
        "unauthenticated": ("サインインしていません", "続けるにはサインインしてください。"),
        "csrf_failed": (
            "この要求は受け付けられません",
            "このサイトのページから送られたものではないようです。",
        ),
        "not_found": ("ページが見つかりません", "アドレスが間違っているか、すでに存在しません。"),
        "method_not_allowed": ("この操作はできません", "このアドレスでは使えない操作です。"),
        "misdirected_request": ("アドレスが違います", "このサーバーはこの名前では応答しません。"),
        "throttled": ("試行回数が多すぎます", "1 分ほど待ってから、もう一度お試しください。"),
        "connector_misconfigured": (
            "{name} でのサインインは正しく設定されていません",
            "サイトの管理者による修正が必要です。他の方法でサインインできる場合があります。",
        ),
        "provider_error": (
            "{name} の応答を使用できません",
            "サインインしていません。もう一度試すか、他の方法をお使いください。",
        ),
        "provider_unavailable": (
            "{name} に接続できません",
            "しばらくしてからお試しください。他の方法でのサインインは使えます。",
        ),
        "temporarily_unavailable": ("現在利用できません", "しばらくしてからお試しください。"),
        "server_error": ("問題が発生しました", "しばらくしてからお試しください。"),
    },
}
"""Heading and explanation of errors that people meet; ``{name}`` is the provider's."""

_SAME = {
    "content_too_large": "invalid_request",
    "unsupported_media_type": "invalid_request",
    "linking_required": "state_mismatch",
    "identity_not_found": "not_found",
    "token_not_found": "not_found",
    "invalid_token_response": "provider_error",
    "id_token_invalid": "provider_error",
    "logout_token_invalid": "provider_error",
    "userinfo_mismatch": "provider_error",
    "profile_invalid": "provider_error",
    "key_unavailable": "temporarily_unavailable",
}


def error_texts(language: str, code: str) -> tuple[str, str]:
    """Heading and explanation of an error in that language."""
    texts = ERRORS[language]
    return texts.get(_SAME.get(code, code)) or texts["server_error"]
