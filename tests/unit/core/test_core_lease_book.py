"""What one replica knows of all Leases, and since when."""

from hotdesk.api.lease import Lease, LeaseSpec
from hotdesk.api.wire import ObjectMeta
from hotdesk.core.lease_book import LeaseBook, identity_of, pool_lease, replica_lease
from hotdesk.core.sharing import Terms


def lease(name: str, holder: str = "process", *, version: int = 1, uid: str = "1") -> Lease:
    meta = ObjectMeta(name=name, uid=uid, resource_version=str(version))
    return Lease(metadata=meta, spec=LeaseSpec(holder_identity=holder))


def a(version: int = 1, *, uid: str = "1", holder: str = "process") -> Lease:
    return lease("replica-a", holder, version=version, uid=uid)


def test_a_replica_is_its_lease_and_one_made_anew_is_another():
    assert identity_of(a()) == "a_1"
    assert identity_of(a(uid="2")) == "a_2"
    assert replica_lease("a") == "replica-a"
    assert pool_lease("x.y") == "pool-x.y"


def test_a_renewal_is_a_sign_of_life_and_changes_no_decision():
    book = LeaseBook()
    assert book.upsert(a(), now=10)
    assert not book.upsert(a(2), now=12)
    (peer,) = book.view("a_1", pools=frozenset(), now=12).peers.values()
    assert (peer.joined_at, peer.changed_at, peer.is_leaving) == (10, 12, False)


def test_old_news_is_no_sign_of_life():
    book = LeaseBook()
    book.upsert(a(5), now=10)
    assert not book.upsert(a(5), now=20)
    assert not book.upsert(a(4), now=20)
    assert book.view("a_1", pools=frozenset(), now=20).peers["a_1"].changed_at == 10


def test_a_replica_that_lets_its_lease_go_leaves():
    book = LeaseBook()
    book.upsert(a(), now=10)
    assert book.upsert(a(2, holder=""), now=11)
    assert book.view("a_1", pools=frozenset(), now=11).peers["a_1"].is_leaving


def test_one_made_anew_has_just_come():
    book = LeaseBook()
    book.upsert(a(), now=10)
    book.upsert(a(7, uid="2"), now=30)
    (peer,) = book.view("a_2", pools=frozenset(), now=30).peers.values()
    assert (peer.identity, peer.joined_at) == ("a_2", 30)


def test_a_pool_is_free_as_long_as_its_holder_has_no_lease():
    book, pools = LeaseBook(), frozenset({"x", "y", "z"})
    book.upsert(a(), now=0)
    book.upsert(lease("pool-x", "a_1"), now=0)
    book.upsert(lease("pool-y", "b_1"), now=0)
    assert book.view("a_1", pools=pools, now=5).free_since == {"y": 5, "z": 5}
    assert book.view("a_1", pools=pools, now=7).free_since == {"y": 5, "z": 5}
    book.upsert(lease("replica-b"), now=8)
    assert book.view("a_1", pools=pools, now=8).free_since == {"z": 5}
    book.remove("replica-b")
    assert book.view("a_1", pools=pools, now=9).free_since == {"y": 9, "z": 5}


def test_a_list_shows_what_is_gone_but_not_what_came_meanwhile():
    book = LeaseBook()
    book.upsert(a(), now=0)
    book.upsert(lease("pool-x", "a_1"), now=0)
    known = frozenset(book.leases)
    book.upsert(lease("pool-y", "a_1", version=3), now=1)
    book.resync([a(2)], known=known, now=2)
    assert book.view("a_1", pools=frozenset(), now=2).holders == {"y": "a_1"}
    assert book.view("a_1", pools=frozenset(), now=2).peers.keys() == {"a_1"}


def test_after_our_own_silence_everybodys_counts_anew():
    book = LeaseBook()
    book.upsert(a(), now=0)
    book.forgive(now=100)
    (peer,) = book.view("a_1", pools=frozenset(), now=100).peers.values()
    assert (peer.joined_at, peer.changed_at) == (0, 100)


def test_leases_of_no_kind_we_know_are_kept_out_of_the_way():
    book = LeaseBook()
    book.upsert(lease("something-else"), now=0)
    view = book.view("a_1", pools=frozenset(), now=0)
    assert (view.holders, view.peers) == ({}, {})


def test_the_end_of_an_earlier_lease_is_not_the_end_of_the_one_made_anew():
    book = LeaseBook()
    book.upsert(a(8, uid="2"), now=30)  # read past the watch, which tells the end of the earlier one only now
    book.deleted(a(7, uid="1"))
    assert list(book.view("x_1", pools=frozenset(), now=30).peers) == ["a_2"]
    book.deleted(a(9, uid="2"))
    assert not book.leases


def test_a_holder_of_a_pool_that_nobody_has_heard_of_is_a_stranger():
    book = LeaseBook()
    book.upsert(a(), now=0)
    assert book.stranger(lease("pool-x", "a_1")) is None
    assert book.stranger(lease("pool-x", "")) is None
    assert book.stranger(lease("pool-x", "a_2")) == "replica-a"
    assert book.stranger(lease("pool-x", "b_c_1")) == "replica-b_c"
    assert book.stranger(a(2, holder="process")) is None


def test_one_can_be_spared_while_others_live_and_no_earlier_process_of_its_name_has_left_something():
    book, terms = LeaseBook(), Terms()
    assert not book.can_spare("replica-b", terms=terms, now=0)
    book.upsert(a(), now=0)
    lifetime = terms.lease.total_seconds()
    assert book.can_spare("replica-b", terms=terms, now=lifetime - 1)
    assert not book.can_spare("replica-b", terms=terms, now=lifetime)
    assert not book.can_spare("replica-a", terms=terms, now=1)
    book.upsert(a(2, holder=""), now=1)
    assert not book.can_spare("replica-b", terms=terms, now=1), "the only other one leaves"
