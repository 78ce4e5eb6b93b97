"""A token proves one workspace and nothing else, under every key that is in force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.core.heartbeats.tokens import BadKeys, parse_keys, sign, verified_uid

KEY = b"k" * 32
OTHER = b"o" * 32
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)
UIDS = st.uuids().map(str)
WHO = st.tuples(NAMES, NAMES, UIDS)


def token_of(who, key=KEY):
    namespace, name, uid = who
    return sign(key, namespace=namespace, name=name, uid=uid)


def verified(token, who, keys=(KEY,)):
    return verified_uid(token, keys, namespace=who[0], name=who[1])


@given(who=WHO)
def test_a_token_tells_the_uid_it_was_signed_for(who):
    assert verified(token_of(who), who) == who[2]


@given(who=WHO, other=WHO)
def test_it_is_no_token_of_another_name(who, other):
    assert (verified(token_of(who), other) is not None) == (who[:2] == other[:2])


@given(who=WHO, uid=UIDS)
def test_another_uid_cannot_be_written_into_it(who, uid):
    proof = token_of(who).partition(".")[2]
    assert verified(f"{uid}.{proof}", who) == (uid if uid == who[2] else None)


@given(who=WHO, at=st.integers(0, 79), letter=st.sampled_from("abcXYZ019-_.=\n é"))
def test_no_letter_of_it_can_be_changed(who, at, letter):
    token = token_of(who)
    changed = token[:at] + letter + token[at + 1 :]
    assert verified(changed, who) == (who[2] if changed == token else None)


@given(token=st.text(max_size=100))
def test_nothing_else_is_a_token(token):
    assert verified(token, ("team", "demo", "")) is None


@pytest.mark.parametrize("keys", [(KEY,), (OTHER, KEY), (KEY, OTHER)])
def test_every_key_in_force_verifies(keys):
    who = ("team", "demo", "uid-1")
    assert verified(token_of(who), who, keys) == "uid-1"


def test_a_key_that_was_taken_away_verifies_no_more():
    who = ("team", "demo", "uid-1")
    assert verified(token_of(who), who, (OTHER,)) is None
    assert verified(token_of(who), who, ()) is None


def test_the_text_that_is_signed_stays_what_it_is():
    """Other programs derive tokens too: openssl dgst -sha256 -hmac KEY -binary, in base64url without padding."""
    made = sign(b"0123456789abcdef0123456789abcdef", namespace="team", name="demo", uid="uid-1")
    assert made == "uid-1.m6FMXRRm8IHt-y3aiMFFkssmXRMHT25t208uajcvkOY"


def test_keys_are_lines_of_which_the_first_signs():
    text = f"# rotated in November\n\n  {'n' * 32}  \n{'o' * 40}\n"
    assert parse_keys(text) == (b"n" * 32, b"o" * 40)


@pytest.mark.parametrize(("text", "why"), [("", "no key"), ("# only a remark\n", "no key"), ("secret123\n", "shorter")])
def test_keys_that_cannot_be_used_are_refused_without_quoting_them(text, why):
    with pytest.raises(BadKeys, match=why) as refused:
        parse_keys(text)
    assert "secret123" not in str(refused.value)
