"""A picture as a file: the same drawing with a width in pixels, its colours and font
written out, on white, with a title.

Renderers of files know neither custom properties nor strokes that do not scale: colours are resolved from the
tokens, and lines, which the page stretches, are written in pixels. PNG: resvg, an extra of the distribution.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from app.pages.charts.drawing import HATCH
from app.problems import Problem

STATIC: Final = Path(__file__).with_name("static")
SVG: Final = "http://www.w3.org/2000/svg"
WIDTH: Final = 900  # pixels
LEFT, RIGHT, HEAD, FOOT = 52, 16, 44, 10  # margins in pixels
FONT: Final = "'Source Sans 3', 'Liberation Sans', Arial, sans-serif"
TOKEN: Final = re.compile(r"--([a-z0-9-]+):\s*([^;]+);")
RULE: Final = re.compile(r"([^{}@]+)\{([^{}]*)\}")
# Properties that a picture needs; everything else of the style sheet is layout of the page.
PAINT: Final = re.compile(
    r"(fill|stroke|stroke-width|stroke-dasharray|stroke-linejoin|stroke-linecap|text-anchor|font-size|font-weight"
    r"|font-style|paint-order|opacity)\s*:\s*([^;]+)"
)
PICTURE_CLASSES: Final = re.compile(
    r"\.(chart|tick|line|dot|succeeded|failed|canceled|bar-ink|hatch|weekend|hit|track|reference|band|iso|value|scatter"
    r"|watch|threshold|layer|line-name|stem|thin|axis|grid)|^text"
)
REM: Final = 15  # pixels


@cache
def write_style() -> str:
    """Return the rules of the style sheet that paint pictures, with the light colours written out."""
    tokens = dict(TOKEN.findall((STATIC / "tokens.css").read_text("utf-8").partition("@media")[0]))
    sheet = (STATIC / "pages.css").read_text("utf-8").partition("@media (max-width")[0]
    rules = []
    for selectors, body in RULE.findall(sheet):
        kept = [each.strip() for each in selectors.split(",") if PICTURE_CLASSES.search(each.strip())]
        kept = [each for each in kept if ":" not in each]
        paint = ";".join(f"{name}:{resolve(value, tokens)}" for name, value in PAINT.findall(body))
        if kept and paint:
            rules.append(f"{','.join(kept)}{{{paint}}}")
    return f"text{{font-family:{FONT};font-size:12px}}.narrow{{display:none}}" + "".join(rules)


def resolve(value: str, tokens: Mapping[str, str]) -> str:
    """Return a value without custom properties and rem."""
    plain = re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: tokens[found[1]], value).strip()
    return re.sub(r"([0-9.]+)rem", lambda found: f"{float(found[1]) * REM:g}px", plain)


def to_svg(picture: str, title: str, width: int = WIDTH) -> bytes:
    """Return a picture of `charts` as an SVG file of `width` pixels."""
    ElementTree.register_namespace("", SVG)
    drawn = ElementTree.fromstring(  # noqa: S314 -- our own drawing
        str(picture).replace("<svg ", f'<svg xmlns="{SVG}" ', 1)
    )
    inner = width - LEFT - RIGHT
    height = float(drawn.get("height", "0"))
    flatten(drawn, inner)
    drawn.attrib.update({"x": str(LEFT), "y": str(HEAD), "width": str(inner), "overflow": "visible"})
    total = height + HEAD + FOOT
    root = ElementTree.fromstring(  # noqa: S314
        f'<svg xmlns="{SVG}" width="{width}" height="{total:g}" viewBox="0 0 {width} {total:g}">'
        f"<style>{write_style()}</style><defs>{HATCH}</defs>"
        f'<rect width="{width}" height="{total:g}" fill="#ffffff"/></svg>'
    )
    heading = ElementTree.SubElement(root, f"{{{SVG}}}text", {"x": str(LEFT), "y": "24"})
    heading.attrib["font-weight"] = "bold"
    heading.text = title
    root.append(drawn)
    return ElementTree.tostring(root)


def flatten(node: ElementTree.Element, width: float) -> None:
    """Write what the page stretches in pixels: every nested `<svg>` becomes a
    group with its points scaled."""
    for child in list(node):
        if child.tag == f"{{{SVG}}}svg" and child.get("class") == "stretch":
            y = child.get("y", "0")
            for shape in child:
                shape.attrib["points"] = scale(shape.get("points", ""), width)
            attributes = {"transform": f"translate(0 {y})"}
            shapes = list(child)
            child.clear()
            child.tag = f"{{{SVG}}}g"
            child.attrib.update(attributes)
            child.extend(shapes)
        else:
            flatten(child, width)


def scale(points: str, width: float) -> str:
    """Return points whose x is in per cent with x in pixels."""
    pairs = (pair.split(",") for pair in points.split())
    return " ".join(f"{float(x) * width / 100:.2f},{y}" for x, y in pairs)


def to_png(svg: bytes) -> bytes:
    """Return an SVG file as PNG. Raises Problem 501 without resvg, which is an extra of the distribution."""
    try:
        import resvg_py  # noqa: PLC0415 -- an extra
    except ImportError:
        raise Problem(
            "png_unavailable", "PNG needs resvg: install pyairbyte-telemetry-server[png]."
        ) from None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg.decode()))
