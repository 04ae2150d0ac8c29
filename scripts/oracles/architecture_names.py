#!/usr/bin/env python3
"""The names that files may have under general.architecture, as the gguf package lists them.

    architecture_names.py > tests/golden/architectures.txt
"""
from gguf.constants import MODEL_ARCH_NAMES

for name in sorted(MODEL_ARCH_NAMES.values()):
    print(name)
