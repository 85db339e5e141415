"""Uids and suffixes: well formed, and never the same bytes twice."""

import uuid

from wherry.apiserver.verbs.entropy import FETCHED, SUFFIX, Entropy


def test_uids_are_random_uuids_also_across_fetches() -> None:
    entropy = Entropy()
    uids = [entropy.uid() for _ in range(FETCHED // 16 * 3)]
    assert len(set(uids)) == len(uids)
    assert {uuid.UUID(uid).version for uid in uids} == {4}


def test_suffixes_use_all_letters_and_nothing_else() -> None:
    entropy = Entropy()
    suffixes = [entropy.suffix() for _ in range(2000)]
    assert {len(suffix) for suffix in suffixes} == {5}
    assert set("".join(suffixes)) == set(SUFFIX)
    assert len(set(suffixes)) > 1990
