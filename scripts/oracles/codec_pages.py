#!/usr/bin/env python3
"""Writes tests/golden/codec: small cache pages and what an independent implementation of the codecs makes of them.

    codec_pages.py --lab PATH/quality_lab.py [--out tests/golden/codec]

The oracle is quality_lab.py, the torch harness with which the codec recipes were measured: its `encode` gives the
reconstructions, its attention code the smoothing vector and the int8 query. Needs torch and numpy.

pages.json lists the cases; pages.bin holds their arrays, little-endian, at the offsets given there:
  x          f16 [128][head_dim]  two pages of tokens, used both as keys and as values
  query      f32 [head_dim]       the last row of the first query head
  query_int8 f32 [head_dim]       the same after the oracle's int8 rounding, back in the original basis
  squares    f32 [head_dim]       mean of q^2 over the group's heads and tokens 4 .. 127
  smoothing  f32 [head_dim]       the oracle's, or ones where the data has no variance ("lab_smoothing": false)
  key8, key4, value8, value4, ...  f32 [16][head_dim]  reconstructions of tokens 1, 9, 17, ...; every case has 8 and
                                   4 bits, the normal ones and those with outliers or biases all widths
"""
import argparse
import importlib.util
import json
import math
import pathlib
import re
import sys

import numpy as np

GROUPS = {64: "64", 128: "64", 256: "64", 96: "48", 80: "D"}
RECIPES = {"key8": "8:c8,sm.5,mls", "key4": "4:c8,sm.5,lm,pu.5", "value8": "8", "value4": "4:lm,munb"}
MORE_RECIPES = {"key6": "6:c8,sm.5,mls", "key5": "5:c8,sm.5,mls", "key3": "3:c8,sm.5,lm,pu.5", "key2": "2:c8,sm.5,lm,pu.5",
                "value6": "6", "value5": "5:munb", "value3": "3:lm,munb", "value2": "2:lm,munb"}
TOKENS = 128
SAMPLED = slice(1, TOKENS, 8)


def load_lab(path):
    sys.argv = [path, "run"]  # without it the module does not import torch
    spec = importlib.util.spec_from_file_location("quality_lab", path)
    lab = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lab)
    return lab


def page_data(kind, dim, rng):
    x = rng.standard_normal((TOKENS, dim))
    if kind == "outliers":
        x[:, rng.choice(dim, 3, replace=False)] *= 30
    elif kind == "biases":  # as on models whose key projections have large biases
        x += rng.choice([-1, 1], dim) * rng.uniform(0, 300, dim)
    elif kind == "sink":
        x[:4] += 200 * rng.standard_normal((4, dim))
    elif kind == "constant":
        x[:] = x[0]
    elif kind == "zeros":
        x[:] = 0
    elif kind == "tiny":
        x *= 2e-6
    elif kind == "large":
        x *= 2000
    return x.astype(np.float16)


def attention_pieces(lab, x, q, cfg):
    """Runs the oracle's attention on one KV head; returns its smoothing vector and its rounded queries."""
    torch, caught = lab.torch, {}

    class Stub(lab.Model):
        def __init__(self):
            self.nq, self.nk, self.L = q.shape[1], 1, 1

        def core(self, q, K, V, Kc, mu, Vq, P, W, T, win, qq, pbits, S=0):
            caught["query"] = qq
            return torch.zeros_like(q)

    encode = lab.encode

    def catch(X, o, P, S, sm=None, want_scale=False):
        caught.setdefault("smoothing", sm)
        return encode(X, o, P, S, sm, want_scale)

    lab.encode = catch
    try:
        Stub().attn(q, x, x, lab.parse(cfg), 0, 0, {})
    finally:
        lab.encode = encode
    return caught["smoothing"], caught["query"]


def make_case(lab, kind, dim, seed):
    torch = lab.torch
    rng = np.random.default_rng(seed)
    data = page_data(kind, dim, rng)
    x = torch.from_numpy(data.astype(np.float32)).view(1, 1, TOKENS, dim)
    q = torch.from_numpy((rng.standard_normal((1, 3, TOKENS, dim)) * rng.uniform(0.2, 3, dim)).astype(np.float32))
    group = f"g{GROUPS[dim]}"
    cfg = f"K{RECIPES['key4']},{group} V{RECIPES['value4']},{group} P64 T2 S4 q8"
    smoothing, rounded = attention_pieces(lab, x, q, cfg)
    lab_smoothing = bool(torch.isfinite(smoothing).all()) and kind != "constant"
    if not lab_smoothing:
        smoothing = torch.ones(1, 1, dim)
        rounded = attention_pieces(lab, torch.randn(1, 1, TOKENS, dim), q, cfg.replace(",sm.5", ""))[1]
    arrays = {
        "x": data,
        "query": q[0, 0, -1],
        "query_int8": rounded.reshape(3, TOKENS, dim)[0, -1],
        "squares": q[:, :, 4:].pow(2).mean((1, 2))[0],
        "smoothing": smoothing.reshape(dim),
    }
    for name, recipe in (RECIPES | MORE_RECIPES if kind in ("normal", "outliers", "biases") else RECIPES).items():
        codec = lab.side(recipe + ("," if ":" in recipe else ":") + group)
        sm = smoothing if name.startswith("key") else None
        y, mean, _ = lab.encode(x, codec, 64, 4, sm)
        if mean is not None:
            y = (y.view(1, 1, 2, 64, dim) + mean.unsqueeze(3)).view(1, 1, TOKENS, dim)
        assert torch.isfinite(y).all(), (kind, dim, name)
        arrays[name] = y[0, 0, SAMPLED]
    return {"name": f"{kind}_{dim}", "head_dim": dim, "lab_smoothing": lab_smoothing}, arrays


def check_tables(lab, source):
    """The level tables in the C++ source are the oracle's."""
    text = source.read_text()
    for bits in (4, 3, 2):
        table, top = lab.lm_table(bits)
        levels = [round(float(v) * 127) for v in table][1 << bits - 1:]
        found = re.search(rf"kLloydMax{bits} =\s*level_table\(\{{([^}}]*)\}},\s*([0-9.]+)f\)", text)
        assert [int(v) for v in found[1].split(",")] == levels, levels
        assert math.isclose(float(found[2]), top, rel_tol=1e-7), top


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--lab", required=True)
    ap.add_argument("--out", type=pathlib.Path, default=root / "tests/golden/codec")
    a = ap.parse_args()
    lab = load_lab(a.lab)
    lab.torch.manual_seed(1)
    check_tables(lab, root / "src/codec/grid.cc")

    kinds = {64: ["normal", "outliers", "biases", "sink", "constant", "zeros", "tiny", "large"],
             128: ["normal", "biases"], 256: ["outliers", "sink"], 96: ["normal"], 80: ["biases"]}
    blob, cases = bytearray(), []
    for dim, names in kinds.items():
        for kind in names:
            case, arrays = make_case(lab, kind, dim, seed=len(cases))
            case["offsets"] = {}
            for name, v in arrays.items():
                v = np.ascontiguousarray(np.asarray(v), dtype="<f2" if name == "x" else "<f4")
                case["offsets"][name] = len(blob)
                blob += v.tobytes()
            cases.append(case)
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "pages.bin").write_bytes(blob)
    (a.out / "pages.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")
    print(f"{len(cases)} cases, {len(blob)} bytes")


if __name__ == "__main__":
    main()
