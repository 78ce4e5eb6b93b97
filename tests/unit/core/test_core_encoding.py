"""What strangers write can neither break out of a URL nor be mistaken for something else in a tag."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hotdesk.core.encoding import TAG_VALUE_LIMIT, folder_of, tag_value, url_part

texts = st.text() | st.text("./%~?#&:@[]\\ \n+")
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")


@given(texts)
def test_a_part_of_a_url_reads_back_as_it_was_written(text: str):
    assume(text.strip("."))  # of nothing but dots no encoding keeps its meaning
    assert unquote(url_part(text)) == text


@given(texts)
def test_a_part_of_a_url_holds_nothing_that_a_url_is_made_of(text: str):
    assert set(url_part(text)) <= UNRESERVED


@given(texts, texts)
@example("//evil.example/", "?x=1#y")
def test_a_part_of_a_url_changes_nothing_around_it(owner: str, project: str):
    assume(owner and project)
    parts = urlsplit(f"http://10.0.0.1:8080/home/{url_part(owner)}?folder={url_part(project)}")
    assert (parts.scheme, parts.netloc, parts.fragment) == ("http", "10.0.0.1:8080", "")
    assert parts.path.count("/") == 2
    assert "&" not in parts.query


@given(st.text("./", min_size=1))
@example(".")
@example("..")
def test_no_part_of_a_url_climbs_in_a_browser(text: str):
    # Browsers take %2e for a dot: https://url.spec.whatwg.org/#double-dot-path-segment
    part = url_part(text).lower().replace("%2e", ".")
    assert part not in {".", ".."}


@given(texts)
def test_a_tag_is_short_enough_and_made_of_what_aws_allows(text: str):
    value = tag_value(text)
    assert len(value) <= TAG_VALUE_LIMIT
    assert value.isascii()
    assert value.isprintable()


@given(st.text(max_size=20))
def test_a_short_tag_reads_back_as_it_was_written(text: str):
    assert unquote(tag_value(text)) == text


@given(texts, texts)
def test_distinct_texts_have_distinct_tags(one: str, other: str):
    assert (tag_value(one) == tag_value(other)) == (one == other)


@given(st.text("ab", min_size=250, max_size=400), st.text("ab", min_size=1, max_size=3))
def test_long_texts_with_one_beginning_have_distinct_tags(text: str, more: str):
    assert tag_value(text) != tag_value(text + more)


def test_no_text_spells_the_tag_of_a_longer_one():
    long = "a" * 300
    assert tag_value(unquote(tag_value(long))) != tag_value(long)


def test_a_tag_that_is_just_short_enough_is_left_alone():
    assert tag_value("a" * TAG_VALUE_LIMIT) == "a" * TAG_VALUE_LIMIT
    assert len(tag_value("a" * (TAG_VALUE_LIMIT + 1))) == TAG_VALUE_LIMIT


@pytest.mark.parametrize("owner", ["ada", "ann@example.com", "Ada Lovelace", "jürgen", "a.b", "-x"])
def test_owners_folder_is_called_as_a_decoded_url_calls_it(owner: str):
    assert folder_of(owner) == unquote(url_part(owner)) == owner


@given(owner=st.text(min_size=1))
def test_owners_folder_never_leads_elsewhere(owner: str):
    folder = folder_of(owner)
    assert "/" not in folder
    assert "\0" not in folder
    assert folder not in {".", ".."}


@given(owners=st.lists(st.text(alphabet="a/%2Fé", min_size=1), min_size=2, max_size=2, unique=True))
def test_no_two_owners_share_a_folder(owners: list[str]):
    one, other = owners
    assert folder_of(one) != folder_of(other)
