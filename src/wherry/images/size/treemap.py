"""A picture of an image: each package or folder an area as large as its bytes, as SVG. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from wherry.images.size.account import APP, BASE, DEPENDENCIES, Report

_COLOURS = {BASE: "#64748b", DEPENDENCIES: "#0e7490", APP: "#b45309"}
_WIDTH, _HEIGHT, _HEAD = 960.0, 540.0, 64.0
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT + _HEAD:g}" '
    'font-family="system-ui, sans-serif" font-size="12">'
)
_LETTER = 0.58  # of a letter's height: its width, on average
_LEAST_LETTERS = 6  # of a name that is cut off
_LEAST_SHARE = 0.002  # smaller ones are one area together


@dataclass(frozen=True)
class Area:
    label: str
    part: str
    size: int


@dataclass(frozen=True)
class Box:
    area: Area
    x: float
    y: float
    width: float
    height: float


def areas(report: Report) -> list[Area]:
    """Packages, and for what no package owns the top folders; the largest first."""
    sizes: dict[tuple[str, str], int] = {}
    for file in report.files:
        if file.owner is not None:
            label = file.owner.name
        else:
            folders = file.path.split("/")[:-1]
            label = "/" + "/".join(folders[: 1 if file.part == APP else 2])
        key = (file.part, label)
        sizes[key] = sizes.get(key, 0) + file.size
    if report.wasted:
        sizes[(BASE, "hidden by later layers")] = report.wasted
    least = report.total * _LEAST_SHARE
    found = [Area(label, part, size) for (part, label), size in sizes.items() if size >= least and size]
    for part in (BASE, DEPENDENCIES, APP):
        rest = [size for (of, _), size in sizes.items() if of == part and size < least]
        if sum(rest):
            found.append(Area(f"{len(rest)} smaller", part, sum(rest)))
    return sorted(found, key=lambda one: (-one.size, one.label))


def squarify(found: Sequence[Area], x: float, y: float, width: float, height: float) -> list[Box]:
    """Boxes of areas in proportion, as near to squares as rows allow (Bruls, Huizing, van Wijk, 2000)."""
    boxes: list[Box] = []
    left = list(found)
    whole = sum(one.size for one in left)
    while left and whole:
        short = min(width, height)
        scale = width * height / whole
        row = [left[0]]
        while len(row) < len(left) and _worst([*row, left[len(row)]], short, scale) <= _worst(row, short, scale):
            row.append(left[len(row)])
        depth = sum(one.size for one in row) * scale / short
        along = 0.0
        for one in row:
            length = one.size * scale / depth
            across = (x, y + along, depth, length) if width >= height else (x + along, y, length, depth)
            boxes.append(Box(one, *across))
            along += length
        if width >= height:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
        left = left[len(row) :]
        whole = sum(one.size for one in left)
    return boxes


def _worst(row: Sequence[Area], short: float, scale: float) -> float:
    """The largest ratio of sides in a row."""
    total = sum(one.size for one in row) * scale
    return max(max(short**2 * one.size * scale / total**2, total**2 / (short**2 * one.size * scale)) for one in row)


def svg(report: Report) -> str:
    """The picture, with a legend and the sum on top; every area has its name and bytes as a title."""
    boxes = squarify(areas(report), 0.0, _HEAD, _WIDTH, _HEIGHT)
    lines = [
        _OPENING,
        f"<title>{escape(report.reference)}</title>",
        f'<rect width="{_WIDTH:g}" height="{_HEIGHT + _HEAD:g}" fill="#ffffff"/>',
        f'<text x="8" y="22" font-size="16" fill="#0f172a">{escape(report.reference)}</text>',
    ]
    x = 8.0
    for part, size in report.parts.items():
        text = f"{part} {written(size)}"
        lines.append(f'<rect x="{x:g}" y="36" width="12" height="12" fill="{_COLOURS[part]}"/>')
        lines.append(f'<text x="{x + 18:g}" y="46" fill="#0f172a">{escape(text)}</text>')
        x += 40 + 7 * len(text)
    total = f"unpacked {written(report.total)}, in a registry {written(report.stored)}"
    lines.append(f'<text x="{x:g}" y="46" fill="#475569">{total}</text>')
    lines += [_box(box) for box in boxes]
    return "\n".join([*lines, "</svg>", ""])


def _box(box: Box) -> str:
    colour = "#9f1239" if box.area.label == "hidden by later layers" else _COLOURS[box.area.part]
    title = f"{box.area.label}: {written(box.area.size)}"
    shape = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'
    )
    lines = [
        f'<text x="{box.x + 5:.1f}" y="{box.y + top:.1f}" font-size="{font}" fill="{fill}">{escape(line)}</text>'
        for line, top, font, fill in _labels(box)
    ]
    return f"<g><title>{escape(title)}</title>{shape}{''.join(lines)}</g>"


def _labels(box: Box) -> Iterator[tuple[str, float, int, str]]:
    """(text, distance from the top, size of letters, colour): the name and the bytes, where there is room for them."""
    label, size = box.area.label, written(box.area.size)
    font = next((one for one in (12, 10) if len(label) * one * _LETTER <= box.width - 10), 10)
    room = int((box.width - 10) / (font * _LETTER))
    if box.height < font + 6 or (len(label) > room and room < _LEAST_LETTERS):
        return
    yield (label if len(label) <= room else label[: room - 1] + "…"), font + 3.0, font, "#ffffff"
    if box.height >= 2 * font + 10 and len(size) <= room:
        yield size, 2 * font + 6.0, font, "#e2e8f0"


def written(size: int) -> str:
    """Bytes as people read them, in powers of ten as registries count."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"
