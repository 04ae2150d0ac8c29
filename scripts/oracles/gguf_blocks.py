#!/usr/bin/env python3
"""Makes tests/golden/gguf_blocks: packed blocks and what the `gguf` package dequantises them to.

    pip install gguf llama-cpp-python numpy
    python3 scripts/oracles/gguf_blocks.py

One file per type: packed blocks, then their float32 values (little-endian), for N_BLOCKS blocks (plain
number types: as many elements as one 256-element block). Bytes are random, so every code and every packed
scale occurs; the f16 scales cycle through ordinary, tiny (subnormal), zero, largest, negative, infinite and
NaN values, and other kinds of scales through their extremes. The types of LATER have two more blocks: of
zeros, and of ones.
"""
import ctypes
import pathlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "gguf_blocks"
N_BLOCKS = 12
# Byte offsets of the f16 fields of a block.
F16_FIELDS = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
# New types go to the end: one generator makes the bytes of all, in this order.
LATER = {
    T.Q2_K: [80, 82], T.Q3_K: [108], T.IQ4_NL: [0], T.IQ4_XS: [0], T.MXFP4: [], T.NVFP4: [],
    T.TQ1_0: [52], T.TQ2_0: [64], T.IQ2_XXS: [0], T.IQ2_XS: [0], T.IQ2_S: [0], T.IQ3_XXS: [0], T.IQ3_S: [0],
    T.IQ1_S: [0], T.IQ1_M: [], T.Q1_0: [0],
}
# 1.0, smallest subnormal, largest subnormal, smallest normal, 0, -0, largest, -largest, inf, NaN
SPECIAL = [0x3C00, 0x0001, 0x03FF, 0x0400, 0x0000, 0x8000, 0x7BFF, 0xFBFF, 0x7C00, 0x7E00]


def special_scales(n: int, field: int, rng: np.random.Generator) -> np.ndarray:
    # Different strides, so that the two fields of a block form different pairs.
    bits = [SPECIAL[(i * (1 + 2 * field)) % len(SPECIAL)] for i in range(n - 2)]
    bits += rng.normal(0, 0.02, 2).astype(np.float16).view(np.uint16).tolist()
    return np.array(bits, dtype="<u2")


def blocks(kind: T, rng: np.random.Generator) -> np.ndarray:
    size, n_bytes = GGML_QUANT_SIZES[kind]
    n = N_BLOCKS if size > 1 else 256
    packed = rng.integers(0, 256, (n, n_bytes), dtype=np.uint8)
    for field, offset in enumerate({**F16_FIELDS, **LATER}.get(kind, [])):
        packed[:, offset:offset + 2] = special_scales(n, field, rng).view(np.uint8).reshape(n, 2)
    if kind == T.Q8_0:
        packed[:8, 2:] = rng.permutation(256).astype(np.uint8).reshape(8, 32)
    if kind == T.MXFP4:
        packed[:8, 0] = [0, 1, 2, 3, 127, 128, 254, 255]
    if kind == T.NVFP4:
        packed[:, :4].flat[:8] = [0, 1, 7, 8, 0x7E, 0x7F, 0x80, 0xFF]
    if kind == T.IQ1_M:  # four bits of the scale in each u16
        for i, bits in enumerate(special_scales(n, 0, rng)):
            packed[i, 49::2] = packed[i, 49::2] & 15 | [(bits >> 4 * k & 15) << 4 for k in range(4)]
    if kind in (T.F16, T.BF16, T.F32):
        tail = [0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00, 0x7E00]
        width = n_bytes
        wide = np.array(tail, dtype="<u4") << (16 if kind == T.F32 else 0)
        packed[:len(tail)] = wide.view(np.uint8).reshape(-1, 4)[:, :width]
    if kind in LATER:
        edges = np.array([[0], [0xFF]], dtype=np.uint8).repeat(n_bytes, axis=1)
        packed = np.concatenate([packed, edges])
    return packed.reshape(1, -1)


def dequantize_q1_0(packed: np.ndarray) -> np.ndarray:
    """By llama.cpp's library: the `gguf` package knows the type, but does not dequantise it."""
    import llama_cpp

    library = ctypes.CDLL(str(pathlib.Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    packed = np.ascontiguousarray(packed)
    values = np.empty(packed.size // 18 * 128, dtype=np.float32)
    library.dequantize_row_q1_0(ctypes.c_void_p(packed.ctypes.data), ctypes.c_void_p(values.ctypes.data),
                                ctypes.c_int64(values.size))
    return values


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20240607)
    for kind in (T.F32, T.F16, T.BF16, *F16_FIELDS, *LATER):
        packed = blocks(kind, rng)
        with np.errstate(all="ignore"):
            values = dequantize_q1_0(packed) if kind == T.Q1_0 else dequantize(packed, kind)
            values = values.astype("<f4").ravel()
        (OUT / f"{kind.name}.bin").write_bytes(packed.tobytes() + values.tobytes())
        print(f"{kind.name}: {packed.size} bytes, {values.size} values")


if __name__ == "__main__":
    main()
