"""Which images can go from the node."""

from datetime import UTC, datetime, timedelta

from wherry.node.image_gc import GRACE, Known, removable

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OLD = NOW - GRACE - timedelta(seconds=1)


def image(name: str, digest: str, *points_to: str, pinned: bool = False, changed: datetime = OLD) -> Known:
    return Known(name, digest, pinned, changed, points_to)


PULLED = (image("r/a:1", "d1"), image("r/a@d1", "d1"), image("sha256:c1", "d1"))


def test_what_was_pulled_and_no_container_has_goes_with_all_its_names() -> None:
    assert list(removable(PULLED, (), NOW)) == ["r/a:1", "r/a@d1", "sha256:c1"]


def test_what_a_container_has_stays_with_all_its_names() -> None:
    assert list(removable(PULLED, {"sha256:c1"}, NOW)) == []


def test_what_is_pinned_stays_by_whatever_name() -> None:
    assert list(removable((*PULLED, image("here:1", "d1", pinned=True)), (), NOW)) == []


def test_what_has_just_come_stays() -> None:
    assert list(removable([image("r/a:1", "d1", changed=NOW - GRACE / 2)], (), NOW)) == []


def test_the_images_of_a_pinned_index_stay_and_what_hangs_on_them() -> None:
    index = image("all:1", "index", "d1", "d2", pinned=True)
    parts = [image("all@d1", "d1"), image("all@d2", "d2"), image("all@bill", "bill", "d2")]
    assert list(removable([index, *parts], (), NOW)) == []
    assert list(removable([*parts], (), NOW)) == ["all@d1", "all@d2", "all@bill"]


def test_what_later_builds_left_without_a_tag_goes_only_when_it_is_asked_for() -> None:
    built = [
        image("web:1", "new", pinned=True),
        image("web@new", "new", pinned=True),
        image("web@old", "old", pinned=True),
        image("web@runs", "runs", pinned=True),
        image("web@fresh", "fresh", pinned=True, changed=NOW),
    ]
    assert list(removable(built, {"web@runs"}, NOW)) == []
    assert list(removable(built, {"web@runs"}, NOW, untagged=True)) == ["web@old"]
