from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import ConfigurationError, ProfileInvalid, Step
from connectors_core.oauth2 import ProfileMap
from connectors_core.oauth2.profile_map import find

DOCUMENT = {
    "id": 7,
    "data": {"id": "x", "attributes": {"email": "a@x.example"}},
    "images": [{"url": "https://img.example/0"}, {"url": "https://img.example/1"}],
    "0": "zero",
    "https://slack.com/user_id": "U1",
    "none": None,
    "matrix": [[1, 2], [3]],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id", 7),
        ("data.id", "x"),
        ("data.attributes.email", "a@x.example"),
        ("images[0].url", "https://img.example/0"),
        ("images.1.url", "https://img.example/1"),
        ("matrix[0][1]", 2),
        ("matrix.1.0", 3),
        ("0", "zero"),
        ("https://slack.com/user_id", "U1"),
        ("none", None),
        ("none.x", None),
        ("id.x", None),
        ("images[2].url", None),
        ("images.url", None),
        ("images[999999].url", None),
        ("images.٣", None),
        ("images.-1", None),
        ("absent", None),
    ],
)
def test_a_path_leads_to(path, expected):
    assert find(DOCUMENT, path) == expected


def test_a_document_may_be_a_list():
    profile = ProfileMap(id="[0].id", name="0.name").read([{"id": "7", "name": "Ada"}])
    assert (profile.id, profile.name, dict(profile.raw)) == ("7", "Ada", {})


@pytest.mark.parametrize(
    "paths", ["unionid | openid", ("unionid", "openid"), "unionid|openid|", (" unionid ", "openid")]
)
def test_the_first_usable_alternative_counts(paths):
    mapping = ProfileMap(id=paths)
    assert mapping.read({"openid": "o", "unionid": "u"}).id == "u"
    assert mapping.read({"openid": "o"}).id == "o"
    assert mapping.read({"openid": "o", "unionid": ""}).id == "o"
    assert mapping.read({"openid": "o", "unionid": {"no": 1}}).id == "o"


@pytest.mark.parametrize("path", ["a..b", "a[", "a[x]", "a]b", "a[-1]", ".", "a | b..c", ("a", "b[1")])
def test_what_cannot_be_a_path_is_a_configuration_error(path):
    with pytest.raises(ConfigurationError) as caught:
        ProfileMap(name=path)
    assert caught.value.problems[0].path == ("profileMap", "name")


@pytest.mark.parametrize("path", ["", " | ", ()])
def test_an_id_must_be_mapped(path):
    with pytest.raises(ConfigurationError) as caught:
        ProfileMap(id=path)
    assert caught.value.problems[0].path == ("profileMap", "id")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (7, "7"), (0, "0"), (-1, "-1"), (2**63 + 1, "9223372036854775809"), ("x" * 255, "x" * 255)],
)
def test_an_id_may_be(value, expected):
    assert ProfileMap().read({"id": value}).id == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        True,
        False,
        7.0,
        1e300,
        [],
        {},
        ["a"],
        "x" * 256,
        "a\x00b",
        "a\nb",
        "\ud800",
        pytest.param(10**5000, id="5000 digits"),
    ],
)
def test_no_id_can_be_made_of(value):
    with pytest.raises(ProfileInvalid) as caught:
        ProfileMap().read({"id": value, "email": "canary@x.example"})
    assert caught.value.step is Step.PROFILE
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("document", [None, 1, "id", [], {}, True])
def test_no_profile_can_be_made_of(document):
    with pytest.raises(ProfileInvalid):
        ProfileMap().read(document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 1),
        ("name", ["canary"]),
        ("name", "canary\x00"),
        ("name", "\ud800"),
        ("email", True),
        ("email", "canary@x.example\r\nBcc: y"),
        ("phone", 81312345678),
        ("avatar", "javascript:canary"),
        ("avatar", "canary-hash"),
        ("avatar", 1),
    ],
)
def test_an_optional_field_of_a_wrong_type_is_dropped_and_named(field, value, caplog):
    with caplog.at_level(logging.WARNING, "connectors_core"):
        profile = ProfileMap().read({"id": "1", field: value})
    assert getattr(profile, field) is None
    assert [record.name for record in caplog.records] == ["connectors_core"]
    assert field in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("value", [None, ""])
def test_an_absent_field_is_no_warning(value, caplog):
    assert ProfileMap().read({"id": "1", "name": value}).name is None
    assert not caplog.records


FLAGGED = ProfileMap(email_verified="verified", phone_verified="checked")
TRUSTING = ProfileMap(email_verified="verified", trust_email_because="the company's own directory")
STRINGS = ProfileMap(email_verified="verified", string_booleans=True)


@pytest.mark.parametrize(
    ("name", "mapping", "document", "expected"),
    [
        ("no flag is mapped", ProfileMap(), {"email": "a@x", "email_verified": True}, None),
        ("true", FLAGGED, {"email": "a@x", "verified": True}, True),
        ("false", FLAGGED, {"email": "a@x", "verified": False}, False),
        ("absent", FLAGGED, {"email": "a@x"}, None),
        ("null", FLAGGED, {"email": "a@x", "verified": None}, None),
        ("no address", FLAGGED, {"verified": True}, None),
        ("an address that was dropped", FLAGGED, {"email": 1, "verified": True}, None),
        ("the text true", FLAGGED, {"email": "a@x", "verified": "true"}, None),
        ("the number 1", FLAGGED, {"email": "a@x", "verified": 1}, None),
        ("the text true, allowed", STRINGS, {"email": "a@x", "verified": "true"}, True),
        ("the text false, allowed", STRINGS, {"email": "a@x", "verified": "false"}, False),
        ("the text True, allowed", STRINGS, {"email": "a@x", "verified": "True"}, None),
        ("other text, allowed", STRINGS, {"email": "a@x", "verified": "yes"}, None),
        ("the number 1, strings allowed", STRINGS, {"email": "a@x", "verified": 1}, None),
        ("trusted and unstated", TRUSTING, {"email": "a@x"}, True),
        ("trusted and denied", TRUSTING, {"email": "a@x", "verified": False}, False),
        ("trusted without an address", TRUSTING, {}, None),
    ],
)
def test_email_verified_when(name, mapping, document, expected):
    assert mapping.read({"id": "1", **document}).email_verified is expected


def test_phone_verified_follows_its_own_flag():
    document = {"id": "1", "phone": "+81312345678", "checked": True, "email": "a@x"}
    profile = FLAGGED.read(document)
    assert (profile.phone_verified, profile.email_verified) == (True, None)
    assert ProfileMap(trust_phone_because="x").read(document).phone_verified is True


def test_raw_is_what_came():
    assert ProfileMap().read(DOCUMENT).raw == DOCUMENT


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "avatar", "email", "phone", "a", "0"]) | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=10,
)
paths = st.sampled_from(
    [
        "id",
        "name",
        "a.id",
        "a[0].email",
        "[0].id",
        "0.0",
        "email | a.email",
        "phone",
        ("a", "id"),
        "a.a.a",
        "",
    ]
)


@given(
    document=json_values,
    id_=paths.filter(bool),
    others=st.fixed_dictionaries(
        dict.fromkeys(("name", "avatar", "email", "phone", "email_verified", "phone_verified"), paths)
    ),
    strings=st.booleans(),
)
def test_mapping_is_total(document, id_, others, strings):
    mapping = ProfileMap(id=id_, string_booleans=strings, **others)
    try:
        profile = mapping.read(document)
    except ProfileInvalid:
        return
    for text in (profile.id, profile.name, profile.avatar, profile.email, profile.phone):
        assert text is None or (text.strip() and text.encode())
    assert profile.email_verified in (None, True, False)
    assert profile.email is not None or profile.email_verified is None
    assert profile.phone is not None or profile.phone_verified is None
