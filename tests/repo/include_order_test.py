"""A folder of src/ includes only from the folders that it may know (docs/design.md, "Layers")."""

import re
import sys
import unittest

from repo_files import ROOT, files

# What each folder uses directly; whatever those use is allowed too. The order of the lines is the include order.
USES = {
    "base": [],
    "gguf": ["base"],
    "fetch": ["base"],
    "codec": ["base"],
    "cache": ["codec", "base"],
    "backend": ["cache", "gguf"],  # gguf: weights are repacked from their file blocks
    "text": ["gguf"],
    "model": ["backend", "gguf"],
    "engine": ["model", "text"],
    "lab": ["engine"],
    "server": ["engine"],
    "cli": ["lab", "server", "fetch"],
}
BACKENDS = {"cpu", "cuda"}  # src/backend/NAME: these never see each other
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def closure(uses):
    """folder -> all folders that it may include from, itself among them. Fails unless USES is in order."""
    allowed = {}
    for folder, direct in uses.items():
        allowed[folder] = {folder}.union(*(allowed[name] for name in direct))
    return allowed


ALLOWED = closure(USES)


def fault(folder, backend, bracket, target):
    """Why a file of src/FOLDER (of src/backend/BACKEND) must not include target, or None."""
    if bracket == "<":
        return '<kvsplit/...>: write "kvsplit/..."' if target.startswith("kvsplit/") else None
    top, _, rest = target.partition("/")
    if top == "kvsplit":
        return None
    if not rest:
        return "an include of our own starts with its folder"
    if top not in USES:
        return f"there is no folder src/{top}"
    if top not in ALLOWED[folder]:
        return f"src/{folder} may include from {', '.join(name for name in USES if name in ALLOWED[folder])} only"
    other = rest.split("/")[0]
    if top == "backend" and backend and other in BACKENDS and other != backend:
        return f"backend/{backend} must not know backend/{other}"
    return None


class IncludeOrder(unittest.TestCase):
    def test_sources(self):
        faults, seen = [], 0
        for path in files(".h", ".cc", ".cu", ".inc"):
            parts = path.relative_to(ROOT).parts
            if parts[0] != "src":
                continue
            seen += 1
            self.assertIn(parts[1], USES, f"{path}: a new folder of src/ needs a place in the order")
            backend = parts[2] if parts[1] == "backend" and parts[2] in BACKENDS else None
            for bracket, target in INCLUDE.findall(path.read_text()):
                why = fault(parts[1], backend, bracket, target)
                if why:
                    faults.append(f"{'/'.join(parts)}: {target}: {why}")
        self.assertGreater(seen, 0)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_public_headers(self):
        for path in files(".h"):
            parts = path.relative_to(ROOT).parts
            if parts[0] != "include":
                continue
            for bracket, target in INCLUDE.findall(path.read_text()):
                standard = bracket == "<" and "/" not in target
                self.assertTrue(standard or target.startswith("kvsplit/"),
                                f"{'/'.join(parts)}: {target}: a public header includes the standard library and "
                                "kvsplit/ only")

    def test_the_check_itself(self):
        self.assertIsNone(fault("engine", None, '"', "codec/codec.h"))
        self.assertIsNone(fault("cache", None, "<", "vector"))
        self.assertIsNone(fault("backend", "cpu", '"', "backend/cpu/simd.h"))
        for folder, backend, target in [("codec", None, "cache/page.h"), ("text", None, "codec/codec.h"),
                                        ("cache", None, "gguf/gguf.h"), ("model", None, "text/tokenizer.h"),
                                        ("backend", "cpu", "backend/cuda/a.h"), ("base", None, "error.h")]:
            self.assertIsNotNone(fault(folder, backend, '"', target), f"{folder} -> {target}")


if __name__ == "__main__":
    sys.exit(unittest.main())
