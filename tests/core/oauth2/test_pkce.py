from __future__ import annotations

import pytest

from connectors_core.oauth2 import s256_code_challenge


def test_challenge_is_that_of_rfc_7636_appendix_b():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256_code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_that_is_not_ascii_is_refused_without_being_quoted():
    with pytest.raises(ValueError) as caught:
        s256_code_challenge("gehéim")
    assert "gehéim" not in str(caught.value)
