"""Runs the kvsplit program for the tests beside this file."""
import os
import pathlib
import subprocess
import sys
import unittest

BINARY = ""
MODEL = None  # path of SmolLM2-135M-Instruct, or None


def kvsplit(*arguments, stdin=b"", timeout=300):
    """The finished process; stdout and stderr are text."""
    done = subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                          check=False)
    done.stdout = done.stdout.decode("utf-8")
    done.stderr = done.stderr.decode("utf-8")
    return done


def find_model():
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    cache = os.environ.get("KVSPLIT_CACHE") or os.path.expanduser("~/.cache/kvsplit")
    places = [os.environ.get("KVSPLIT_SMOLLM2"), pathlib.Path(cache) / name]
    return next((str(p) for p in places if p and pathlib.Path(p).is_file()), None)


def main(needs_model):
    global BINARY, MODEL
    BINARY = sys.argv.pop(1)
    MODEL = find_model()
    if needs_model and MODEL is None:
        print("SKIPPED: no model. Run scripts/models.sh smollm2, or set KVSPLIT_SMOLLM2.", file=sys.stderr)
        sys.exit(77)
    unittest.main(module="__main__", verbosity=2)
