#!/usr/bin/env python3
"""Makes src/gguf/grid_points.inc: the grids of the IQ1, IQ2 and IQ3 weight types, from the `gguf` package.

    pip install gguf numpy
    python3 scripts/oracles/gguf_grids.py

A grid is a set of points whose coordinates are one of 3 (or 8) numbers. A point is read as a number in base 3
(or 8), first coordinate lowest; the points of a grid are in ascending order. So a grid is a bit map.
"""
import pathlib

import gguf.quants as quants

OUT = pathlib.Path(__file__).resolve().parents[2] / "src" / "gguf" / "grid_points.inc"
HEAD = """// Made by scripts/oracles/gguf_grids.py from the `gguf` package (MIT, The ggml authors). Bit p of a map (of word
// p / 64, lowest bit first) says whether p, read as a number in base 3 or 8, is a point of the grid.
// clang-format off
"""


def bit_map(name: str) -> list[int]:
    kind = getattr(quants, name)
    kind.init_grid()
    values = [float(v) for v in kind.grid_map]
    base, dims = len(values), kind.grid_shape[1]
    points = [sum(values.index(x) * base**k for k, x in enumerate(point))
              for point in kind.grid.reshape(kind.grid_shape).tolist()]
    assert points == sorted(set(points))
    bits = sum(1 << p for p in points)
    return [bits >> at & (1 << 64) - 1 for at in range(0, base**dims, 64)]


def main() -> None:
    text = HEAD
    for name in ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S"):
        words = [f"0x{word:x}" for word in bit_map(name)]
        text += f"constexpr std::uint64_t k{name}Points[{len(words)}] = {{\n"
        line = "   "
        for word in words:
            if len(line) + len(word) + 2 > 120:
                text += line + "\n"
                line = "   "
            line += f" {word},"
        text += line + "\n};\n"
    OUT.write_text(text + "// clang-format on\n")


if __name__ == "__main__":
    main()
