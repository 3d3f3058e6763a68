from __future__ import annotations

import re

import pytest

from connectors_core.oauth2 import create_code_verifier, s256_code_challenge


def test_challenge_is_that_of_rfc_7636_appendix_b():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256_code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifiers_are_43_unreserved_characters_and_never_the_same():
    verifiers = {create_code_verifier() for _ in range(100)}
    assert len(verifiers) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9\-._~]{43}", verifier) for verifier in verifiers)


def test_a_verifier_that_is_not_ascii_is_refused_without_being_quoted():
    with pytest.raises(ValueError) as caught:
        s256_code_challenge("gehéim")
    assert "gehéim" not in str(caught.value)
