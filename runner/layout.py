"""Places the boxes of a graph in layers from top to bottom, those of a block within a frame.

Each block is laid out by itself and is then one large box to what is around it; what goes in or
comes out crosses its frame at a port. Within a level a box comes below all that it takes from, the
boxes of a rank are ordered so that few arrows cross, and each is moved to where its neighbours are.

Source: Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System
Structures (1981), doi:10.1109/TSMC.1981.4308636.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
Path = tuple[str, ...]

_COLUMN_GAP = 24.0
_RANK_GAP = 34.0
_FRAME_PADDING = 18.0
_FRAME_TITLE = 22.0
_PORT_WIDTH = 10.0
# Passes that order each rank by its neighbours, and passes that move boxes to where they are.
_ORDERINGS = 8
_MOVES = 12
# Fewer passes, and not so straight arrows, where there are more cells than this to go through.
_MOST_VISITS = 1_000_000
# How much straighter long arrows and stacks are held than other arrows.
_STRAIGHTNESS = 8.0


@dataclass(frozen=True)
class Node:
    """A box to place.

    Attributes:
        key: Its name, of no other box.
        blocks: The blocks that it is in, the outermost first, each by a name of no other.
        width: In pixels.
        height: In pixels.
    """

    key: str
    blocks: Path
    width: float
    height: float


@dataclass(frozen=True)
class Box:
    """A rectangle; `x` and `y` are its upper left corner, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, right: float, down: float) -> "Box":
        """Returns the rectangle elsewhere."""
        return Box(self.x + right, self.y + down, self.width, self.height)


@dataclass(frozen=True)
class Arrow:
    """A line from box to box, or a piece of it within a block.

    Attributes:
        points: Where it starts, and then two a rank that it passes: where it comes in and goes out.
        has_head: Whether it ends at a box, and not at a frame.
    """

    points: tuple[Point, ...]
    has_head: bool

    def moved(self, right: float, down: float) -> "Arrow":
        """Returns the arrow elsewhere."""
        return Arrow(tuple((x + right, y + down) for x, y in self.points), self.has_head)


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes:
        width: Of all of it, in pixels.
        height: Likewise.
        boxes: The nodes' places by key.
        frames: The blocks' places by path, outer ones first.
        arrows: The lines between.
    """

    width: float
    height: float
    boxes: Mapping[str, Box]
    frames: Mapping[Path, Box]
    arrows: Sequence[Arrow]


def lay_out(nodes: Sequence[Node], edges: Iterable[tuple[str, str]]) -> Layout:
    """Returns places for `nodes`.

    Args:
        nodes: The boxes, each after all that it takes from; those of a block stand together.
        edges: Pairs of keys: what gives, and what takes.
    """
    levels = _split_levels(nodes, edges)
    placed = _place((), levels, {node.key: node for node in nodes})
    return Layout(placed.width, placed.height, placed.boxes, placed.frames, placed.arrows)


@dataclass(frozen=True)
class _Item:
    """What is placed in a level: a node, a block, or a port in or out by the key of its source."""

    kind: str
    key: str | Path


@dataclass
class _Level:
    """The inside of a block: its items in order, and which takes which source from which."""

    items: dict[_Item, None] = field(default_factory=dict)
    edges: dict[tuple[_Item, _Item, str], None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Placed:
    """A block laid out by itself; ports are distances from its left edge, by source."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    frames: Mapping[Path, Box]
    arrows: Sequence[Arrow]
    ports_in: Mapping[str, float]
    ports_out: Mapping[str, float]


def _split_levels(nodes: Sequence[Node], edges: Iterable[tuple[str, str]]) -> Mapping[Path, _Level]:
    """Returns the inside of each block; an edge that crosses frames is split at each."""
    levels: dict[Path, _Level] = defaultdict(_Level)
    blocks = {node.key: node.blocks for node in nodes}
    for node in nodes:
        for depth in range(len(node.blocks)):
            block = _Item("block", node.blocks[: depth + 1])
            levels[node.blocks[:depth]].items[block] = None
        levels[node.blocks].items[_Item("node", node.key)] = None
    for source, target in edges:
        outer, inner = blocks[source], blocks[target]
        shared = _count_shared(outer, inner)
        for depth in range(len(outer), shared, -1):
            port = _Item("out", source)
            levels[outer[:depth]].edges[_child(source, outer, depth), port, source] = None
        ends = (_child(source, outer, shared), _child(target, inner, shared), source)
        levels[outer[:shared]].edges[ends] = None
        for depth in range(shared + 1, len(inner) + 1):
            port = _Item("in", source)
            levels[inner[:depth]].edges[port, _child(target, inner, depth), source] = None
    return levels


def _count_shared(first: Path, second: Path) -> int:
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    return shared


def _child(key: str, blocks: Path, depth: int) -> _Item:
    """Returns the item that stands for a node in the level of the first `depth` of its blocks."""
    return _Item("node", key) if depth == len(blocks) else _Item("block", blocks[: depth + 1])


def _place(path: Path, levels: Mapping[Path, _Level], nodes: Mapping[str, Node]) -> _Placed:
    level = levels[path]
    inner = {
        item: _place(item.key, levels, nodes) for item in level.items if isinstance(item.key, tuple)
    }
    sizes = {
        **{
            item: (nodes[item.key].width, nodes[item.key].height)
            for item in level.items
            if isinstance(item.key, str)
        },
        **{item: (placed.width, placed.height) for item, placed in inner.items()},
    }
    grid = _Grid(level, sizes, inner)
    grid.order()
    grid.move()
    return _assemble(path, grid, inner)


class _Grid:
    """The ranks of a level. A cell is an item, or stands where a long arrow passes a rank."""

    def __init__(
        self,
        level: _Level,
        sizes: Mapping[_Item, tuple[float, float]],
        inner: Mapping[_Item, _Placed],
    ) -> None:
        self.inner = inner
        self.sizes: list[tuple[float, float]] = []
        self.cells: dict[_Item, int] = {}
        self.ranks: list[list[int]] = []
        self.rank_of: list[int] = []
        self.below: list[list[int]] = []
        self.above: list[list[int]] = []
        # For each source and each end that it comes to, the cells from the first to the last.
        self.routes: list[tuple[_Item, _Item, str, list[int]]] = []
        self._offsets: dict[tuple[int, int], tuple[float, float]] = {}
        self._add_items(level, sizes)
        self._add_routes(level)
        self.x = [0.0] * len(self.sizes)

    def _add_items(self, level: _Level, sizes: Mapping[_Item, tuple[float, float]]) -> None:
        ranks = _find_ranks(level)
        for item, rank in ranks.items():
            self.cells[item] = self._add_cell(rank, sizes.get(item, (_PORT_WIDTH, 0.0)))

    def _add_cell(self, rank: int, size: tuple[float, float]) -> int:
        while len(self.ranks) <= rank:
            self.ranks.append([])
        cell = len(self.sizes)
        self.sizes.append(size)
        self.rank_of.append(rank)
        self.ranks[rank].append(cell)
        self.below.append([])
        self.above.append([])
        return cell

    def _add_routes(self, level: _Level) -> None:
        """Adds the edges; those of one source from one item share the cells that they pass."""
        passed: dict[tuple[_Item, str, int], int] = {}
        for start, end, source in level.edges:
            route = [self.cells[start]]
            for rank in range(self.rank_of[self.cells[start]] + 1, self.rank_of[self.cells[end]]):
                if (start, source, rank) not in passed:
                    passed[start, source, rank] = self._add_cell(rank, (_PORT_WIDTH, 0.0))
                    self._link(route[-1], passed[start, source, rank])
                route.append(passed[start, source, rank])
            self._link(route[-1], self.cells[end])
            self.routes.append((start, end, source, [*route, self.cells[end]]))
            self._note_ports(start, end, source, self.routes[-1][3])

    def _link(self, upper: int, lower: int) -> None:
        if lower not in self.below[upper]:
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def _note_ports(self, start: _Item, end: _Item, source: str, route: Sequence[int]) -> None:
        """Notes how far from the middle of a block its ports are."""
        if start in self.inner:
            placed = self.inner[start]
            shift = placed.ports_out[source] - placed.width / 2
            self._offsets[route[0], route[1]] = (shift, 0.0)
        if end in self.inner:
            placed = self.inner[end]
            shift = placed.ports_in[source] - placed.width / 2
            upper, _ = self._offsets.get((route[-2], route[-1]), (0.0, 0.0))
            self._offsets[route[-2], route[-1]] = (upper, shift)

    def order(self) -> None:
        """Orders each rank by the middle of its neighbours; keeps the order of fewest crossings."""
        best, fewest = [list(rank) for rank in self.ranks], self._count_crossings()
        for turn in range(min(_ORDERINGS, 1 + _MOST_VISITS // len(self.sizes))):
            if fewest == 0:
                break
            is_down = turn % 2 == 0
            ranks = self.ranks if is_down else self.ranks[::-1]
            position = {cell: index for rank in self.ranks for index, cell in enumerate(rank)}
            for rank in ranks:
                middles = {cell: self._find_middle(cell, position, is_down) for cell in rank}
                rank.sort(key=middles.__getitem__)
                position.update((cell, index) for index, cell in enumerate(rank))
            crossings = self._count_crossings()
            if crossings < fewest:
                best, fewest = [list(rank) for rank in self.ranks], crossings
        self.ranks = best

    def _find_middle(self, cell: int, position: Mapping[int, int], is_down: bool) -> float:
        """Returns the mean position of a cell's neighbours, or of the ports that it has there."""
        places = [
            position[each] + self._offset(*((each, cell) if is_down else (cell, each)))[not is_down]
            for each in (self.above if is_down else self.below)[cell]
        ]
        return sum(places) / len(places) if places else position[cell]

    def _offset(self, upper: int, lower: int) -> tuple[float, float]:
        """Returns how far the ends of a link are from their cells' middles, in widths of these."""
        start, end = self._offsets.get((upper, lower), (0.0, 0.0))
        return start / self.sizes[upper][0], end / self.sizes[lower][0]

    def _count_crossings(self) -> int:
        crossings = 0
        position = {cell: index for rank in self.ranks for index, cell in enumerate(rank)}
        for rank in self.ranks:
            links = []
            for upper in rank:
                for lower in self.below[upper]:
                    start, end = self._offset(upper, lower)
                    links.append((position[upper] + start, position[lower] + end))
            ends: list[float] = []
            for _, end in sorted(links):
                crossings += len(ends) - bisect_right(ends, end)
                insort(ends, end)
        return crossings

    def move(self) -> None:
        """Moves the cells of each rank to where their neighbours are, as far as they have room."""
        for rank in self.ranks:
            self._settle(rank, [0.0] * len(rank), [1.0] * len(rank))
        turns = min(_MOVES, 3 + _MOST_VISITS // len(self.sizes))
        for turn in range(turns):
            is_last = turn >= turns - 2
            is_down = turn % 2 == 0
            for rank in self.ranks if is_down else self.ranks[::-1]:
                pulls = [
                    list(self._pulls(cell, above=is_down or is_last, below=not is_down or is_last))
                    for cell in rank
                ]
                weights = [sum(weight for _, weight in pull) or 0.01 for pull in pulls]
                wanted = [
                    sum(x * weight for x, weight in pull) / sum(weight for _, weight in pull)
                    if pull
                    else self.x[cell]
                    for cell, pull in zip(rank, pulls, strict=True)
                ]
                self._settle(rank, wanted, weights)

    def _pulls(self, cell: int, *, above: bool, below: bool) -> Iterator[tuple[float, float]]:
        """Yields where each neighbour would have a cell be, and how much that counts."""
        if above:
            for upper in self.above[cell]:
                start, end = self._offsets.get((upper, cell), (0.0, 0.0))
                yield self.x[upper] + start - end, self._weigh(upper, cell)
        if below:
            for lower in self.below[cell]:
                start, end = self._offsets.get((cell, lower), (0.0, 0.0))
                yield self.x[lower] + end - start, self._weigh(cell, lower)

    def _weigh(self, upper: int, lower: int) -> float:
        is_long = self.sizes[upper][1] == 0.0 and self.sizes[lower][1] == 0.0
        is_only = len(self.below[upper]) == 1 and len(self.above[lower]) == 1
        return _STRAIGHTNESS if is_long or is_only else 1.0

    def _settle(self, rank: Sequence[int], wanted: Sequence[float], weights: list[float]) -> None:
        gaps = [
            (self.sizes[left][0] + self.sizes[right][0]) / 2 + _COLUMN_GAP
            for left, right in pairwise(rank)
        ]
        for cell, x in zip(rank, _separate(wanted, weights, gaps), strict=True):
            self.x[cell] = x


def _find_ranks(level: _Level) -> dict[_Item, int]:
    """Returns each item's rank: ports in come first, ports out last, others below what they take.

    What takes nothing stands right above what first takes it.
    """
    takes: dict[_Item, list[_Item]] = defaultdict(list)
    gives: dict[_Item, list[_Item]] = defaultdict(list)
    for start, end, _ in level.edges:
        takes[end].append(start)
        gives[start].append(end)
    ports_in = dict.fromkeys(start for start, _, _ in level.edges if start.kind == "in")
    ranks = dict.fromkeys(ports_in, 0)
    first = 1 if ports_in else 0
    for item in level.items:
        ranks[item] = max((ranks[start] + 1 for start in takes[item]), default=first)
    ports_out = dict.fromkeys(end for _, end, _ in level.edges if end.kind == "out")
    last = max(ranks.values(), default=0) + 1
    ranks |= dict.fromkeys(ports_out, last)
    for item in level.items:
        if not takes[item] and gives[item]:
            ranks[item] = max(first, min(ranks[end] for end in gives[item]) - 1)
    return ranks


def _separate(
    wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """Returns places in order, each `gaps` apart at the least, nearest to `wanted` in all.

    Nearest by weighted squares. Source: Barlow et al., Statistical Inference under Order
    Restrictions (1972), the pool adjacent violators algorithm.
    """
    shifts = [0.0]
    for gap in gaps:
        shifts.append(shifts[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, number of cells
    for place, weight, shift in zip(wanted, weights, shifts, strict=True):
        mean, total, count = place - shift, weight, 1
        while pools and pools[-1][0] > mean:
            other, heavier, more = pools.pop()
            mean = (mean * total + other * heavier) / (total + heavier)
            total, count = total + heavier, count + more
        pools.append((mean, total, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + shift for mean, shift in zip(means, shifts, strict=True)]


def _assemble(path: Path, grid: _Grid, inner: Mapping[_Item, _Placed]) -> _Placed:
    """Returns the level with all that is in its blocks, its frame's upper left corner at 0, 0."""
    padding = _FRAME_PADDING if path else 0.0
    title = _FRAME_TITLE if path else 0.0
    left = min(x - width / 2 for x, (width, _) in zip(grid.x, grid.sizes, strict=True)) - padding
    right = max(x + width / 2 for x, (width, _) in zip(grid.x, grid.sizes, strict=True)) + padding
    tops, bottoms = _find_heights(grid, title)
    height = bottoms[-1]
    boxes: dict[str, Box] = {}
    frames: dict[Path, Box] = {path: Box(0.0, 0.0, right - left, height)} if path else {}
    arrows: list[Arrow] = []
    places: dict[_Item, Box] = {}
    for item, cell in grid.cells.items():
        width, own = grid.sizes[cell]
        top, bottom = tops[grid.rank_of[cell]], bottoms[grid.rank_of[cell]]
        box = Box(grid.x[cell] - width / 2 - left, (top + bottom - own) / 2, width, own)
        places[item] = box
        if item in inner:
            placed = inner[item]
            boxes |= {key: each.moved(box.x, box.y) for key, each in placed.boxes.items()}
            frames |= {key: each.moved(box.x, box.y) for key, each in placed.frames.items()}
            arrows += [arrow.moved(box.x, box.y) for arrow in placed.arrows]
        elif item.kind == "node":
            boxes[str(item.key)] = box
    arrows += _draw_arrows(grid, places, left, tops, bottoms)
    return _Placed(
        width=right - left,
        height=height,
        boxes=boxes,
        frames=frames,
        arrows=arrows,
        ports_in=_find_ports(grid, "in", left),
        ports_out=_find_ports(grid, "out", left),
    )


def _find_ports(grid: _Grid, kind: str, left: float) -> dict[str, float]:
    return {
        str(item.key): grid.x[cell] - left for item, cell in grid.cells.items() if item.kind == kind
    }


def _find_heights(grid: _Grid, title: float) -> tuple[list[float], list[float]]:
    """Returns where each rank begins and ends; a frame's title stands below the first ports."""
    tops, bottoms = [], []
    y = 0.0
    for rank in grid.ranks:
        tops.append(y)
        y += max(grid.sizes[cell][1] for cell in rank)
        bottoms.append(y)
        y += _RANK_GAP
        if len(tops) == 1:
            y += title
    return tops, bottoms


def _draw_arrows(
    grid: _Grid,
    places: Mapping[_Item, Box],
    left: float,
    tops: Sequence[float],
    bottoms: Sequence[float],
) -> Iterator[Arrow]:
    arriving = _spread_ends(grid, places)
    for index, (start, end, source, route) in enumerate(grid.routes):
        box = places[start]
        port = grid.inner[start].ports_out[source] if start in grid.inner else box.width / 2
        points = [(box.x + port, box.y + box.height)]
        for cell in route[:-1]:
            x = points[0][0] if cell == route[0] else grid.x[cell] - left
            rank = grid.rank_of[cell]
            if cell != route[0]:
                points.append((x, tops[rank]))
            points.append((x, bottoms[rank]))
        box = places[end]
        x = arriving[index]
        points += [(x, tops[grid.rank_of[route[-1]]]), (x, box.y)]
        yield Arrow(tuple(dict.fromkeys(points)), has_head=end.kind == "node")


def _spread_ends(grid: _Grid, places: Mapping[_Item, Box]) -> dict[int, float]:
    """Returns where each route arrives: at its port, or beside others over half of the box."""
    ends: dict[int, float] = {}
    by_end: dict[_Item, list[int]] = defaultdict(list)
    for index, (_, end, source, _) in enumerate(grid.routes):
        if end in grid.inner:
            ends[index] = places[end].x + grid.inner[end].ports_in[source]
        else:
            by_end[end].append(index)
    for end, indices in by_end.items():
        box = places[end]
        indices.sort(key=lambda index: grid.x[grid.routes[index][3][-2]])
        for order, index in enumerate(indices):
            share = (order + 1) / (len(indices) + 1) - 0.5
            ends[index] = box.x + box.width * (0.5 + share / 2)
    return ends
