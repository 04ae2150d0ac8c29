#!/usr/bin/env python3
"""Upper, lower and title case of all characters: src/text/jinja/unicode_case.inc.

usage: unicode_case.py

Python's own tables are Unicode's (UnicodeData.txt and SpecialCasing.txt). Characters that have one counterpart
are written as ranges {first, last, step, distance}, those that become several as texts.
"""

import pathlib
import sys
import unicodedata

EVERY = [chr(c) for c in range(sys.maxunicode + 1)]


def ranges(change):
    moved = {ord(c): ord(change(c)) - ord(c) for c in EVERY if len(change(c)) == 1 and change(c) != c}
    out = []
    left = sorted(moved)
    while left:
        first = left[0]

        def run(step):
            n = 1
            while moved.get(first + n * step) == moved[first] and n < len(left) and left[n] == first + n * step:
                n += 1
            return n

        step = max((1, 2), key=run)
        n = run(step)
        out.append(f"{{0x{first:x}, 0x{first + (n - 1) * step:x}, {step}, {moved[first]}}}")
        left = left[n:]
    return out


def texts(change, plain=lambda c: ""):
    quoted = lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode())
    return [f'{{0x{ord(c):x}, "{quoted(change(c))}"}}' for c in EVERY
            if change(c) != plain(c) and (plain(c) or len(change(c)) > 1)]


def table(kind, name, entries):
    lines, line = [], "   "
    for entry in entries:
        if len(line) + len(entry) > 108:
            lines.append(line)
            line = "   "
        line += f" {entry},"
    return "\n".join([f"constexpr {kind} {name}[] = {{", *lines, line, "};", ""])


def main():
    out = pathlib.Path(__file__).resolve().parents[1] / "src/text/jinja/unicode_case.inc"
    out.write_text("\n".join([
        f"// Made by scripts/unicode_case.py from Unicode {unicodedata.unidata_version}.",
        table("CaseRange", "kUpper", ranges(str.upper)),
        table("CaseText", "kUpperTexts", texts(str.upper)),
        table("CaseRange", "kLower", ranges(str.lower)),
        table("CaseText", "kLowerTexts", texts(str.lower)),
        "// Where title case is not upper case.",
        table("CaseText", "kTitleTexts", texts(str.title, str.upper)),
    ]))
    print(out)


if __name__ == "__main__":
    main()
