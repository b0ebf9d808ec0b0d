"""Where boxes, frames and arrows are put."""

import time
from itertools import combinations, pairwise

import numpy as np
import pytest

from runner.layout import Node, lay_out

RNG = np.random.default_rng(5)


def node(key, *blocks):
    return Node(key, blocks, width=60 + 10 * len(key), height=50)


def chain(count):
    return [node(str(index)) for index in range(count)]


def stack(*keys):
    return list(pairwise(keys))


SKIP = ([node("a"), node("b"), node("c"), node("d")], [*stack("a", "b", "c", "d"), ("a", "d")])
BLOCKS = (
    [
        node("x"),
        node("left", "one", "one.0"),
        node("right", "one", "one.0"),
        node("add", "one", "one.0"),
        node("left1", "one", "one.1"),
        node("sum", "one"),
        node("out"),
    ],
    [
        *[("x", "left"), ("x", "right"), ("left", "add"), ("right", "add"), ("add", "left1")],
        *[("left1", "sum"), ("x", "sum"), ("sum", "out"), ("left", "out")],
    ],
)
RANDOM = (
    chain(60),
    list({(str(RNG.integers(end)), str(end)) for end in range(1, 60) for _ in range(3)}),
)


def overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def holds(outer, inner):
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


@pytest.mark.parametrize(
    ("nodes", "edges"), [SKIP, BLOCKS, RANDOM], ids=["skip", "blocks", "random"]
)
def test_what_takes_is_below_what_gives_and_no_boxes_overlap(nodes, edges):
    layout = lay_out(nodes, edges)
    assert set(layout.boxes) == {each.key for each in nodes}
    for source, target in edges:
        upper, lower = layout.boxes[source], layout.boxes[target]
        assert upper.y + upper.height < lower.y
    for one, other in combinations(layout.boxes.values(), 2):
        assert not overlap(one, other)
    for box in layout.boxes.values():
        assert box.x >= -1e-6
        assert box.x + box.width <= layout.width + 1e-6
        assert box.y + box.height <= layout.height + 1e-6


def test_a_stack_stands_in_one_line():
    layout = lay_out(chain(5), stack(*map(str, range(5))))
    middles = {box.x + box.width / 2 for box in layout.boxes.values()}
    assert max(middles) - min(middles) < 1e-6
    assert [len(arrow.points) for arrow in layout.arrows] == [2] * 4


def test_a_skip_passes_beside_what_it_skips():
    layout = lay_out(*SKIP)
    (skip,) = [arrow for arrow in layout.arrows if len(arrow.points) > 2]
    for key in "bc":
        box = layout.boxes[key]
        for x, y in skip.points:
            is_inside = box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
            assert not is_inside


def test_a_frame_holds_its_block_and_nothing_else():
    nodes, edges = BLOCKS
    layout = lay_out(nodes, edges)
    assert list(layout.frames) == [("one",), ("one", "one.0"), ("one", "one.1")]
    for path, frame in layout.frames.items():
        for each in nodes:
            is_in = each.blocks[: len(path)] == path
            assert holds(frame, layout.boxes[each.key]) == is_in
            assert overlap(frame, layout.boxes[each.key]) == is_in
    assert holds(layout.frames["one",], layout.frames["one", "one.0"])
    assert not overlap(layout.frames["one", "one.0"], layout.frames["one", "one.1"])


def test_an_arrow_across_frames_is_whole():
    layout = lay_out(*BLOCKS)
    ends = {arrow.points[-1] for arrow in layout.arrows}
    starts = {arrow.points[0] for arrow in layout.arrows}
    for arrow in layout.arrows:
        if not arrow.has_head:  # it ends at a frame, where another goes on
            assert any(np.allclose(arrow.points[-1], start) for start in starts)
    boxes = layout.boxes.values()
    for x, y in starts:
        is_at_box = any(np.isclose(y, box.y + box.height) for box in boxes)
        assert is_at_box or any(np.allclose((x, y), end) for end in ends)


def test_arrows_do_not_cross_where_they_need_not():
    nodes = [node(key) for key in ("a", "b", "c", "d")]
    layout = lay_out(nodes, [("a", "d"), ("b", "c")])
    assert (layout.boxes["a"].x < layout.boxes["b"].x) == (
        layout.boxes["d"].x < layout.boxes["c"].x
    )


def test_arrows_out_of_a_frame_leave_it_in_the_order_of_what_gives_them():
    nodes = [node(key, "block") for key in ("a", "b")] + [node("c"), node("d")]
    layout = lay_out(nodes, [("b", "c"), ("a", "d")])
    assert (layout.boxes["a"].x < layout.boxes["b"].x) == (
        layout.boxes["d"].x < layout.boxes["c"].x
    )


def test_what_is_given_late_stands_beside_what_takes_it():
    nodes = [node("late"), *chain(5), node("all")]
    layout = lay_out(nodes, [*stack(*"01234"), ("4", "all"), ("late", "all")])
    assert layout.boxes["late"].y == layout.boxes["4"].y


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([(index, index + 1) for index in range(999)], id="a stack"),
        pytest.param(
            [(start, end) for start in range(1000) for end in range(start + 1, start + 9)],
            id="densely connected",
        ),
        pytest.param([(int(RNG.integers(end)), end) for end in range(1, 1000)], id="a tree"),
    ],
)
def test_a_thousand_boxes_are_placed_in_seconds(edges):
    named = [(str(start), str(end)) for start, end in edges if end < 1000]
    started = time.process_time()
    layout = lay_out(chain(1000), named)
    assert time.process_time() - started < 10
    assert len(layout.boxes) == 1000
