#!/usr/bin/env python3
"""A copy of a model that differs in nothing that matters: each gain of its norms is moved to the next float.

    scripts/oracles/nudge_gguf.py model.gguf nudged.gguf
    kvsplit perplexity -m nudged.gguf --base model.gguf -f TEXT --kv f16

shows the noise floor of docs/measuring.md by another way than `kvsplit perplexity` does. Needs numpy and gguf.
"""
import shutil
import sys

import gguf
import numpy as np


def main():
    source, target = sys.argv[1:]
    shutil.copyfile(source, target)
    nudged = 0
    for tensor in gguf.GGUFReader(target, "r+").tensors:
        if tensor.tensor_type == gguf.GGMLQuantizationType.F32 and "norm" in tensor.name:
            tensor.data[:] = np.nextafter(tensor.data, np.float32(np.inf))
            nudged += tensor.data.size
    print(f"{target}: {nudged} gains moved by one unit in the last place")


if __name__ == "__main__":
    main()
