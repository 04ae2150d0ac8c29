#!/usr/bin/env python3
"""Stand-ins for characters that PCRE2 may not know: src/text/unicode_classes.inc.

usage: unicode_classes.py

The words of pre-tokenizers depend on the classes of characters, which should be those of one version of Unicode on every
system. Characters that UNICODE has and OLDEST, the oldest version that PCRE2 may have, has not get a stand-in of their
class that OLDEST has too. Characters that UNICODE has not, but later versions may have, get one that is in no class. A
stand-in takes as many bytes, and is in the same explicit ranges (\\x{...}) of the patterns in
src/text/pretokenizer_table.cc.

Needs Python 3.11, whose unicodedata is OLDEST, and `pip install unicodedata2==16.0.0`.
"""

import pathlib
import re
import unicodedata

import unicodedata2

OLDEST, UNICODE = "14.0.0", "16.0.0"
SOURCE = pathlib.Path(__file__).resolve().parents[1] / "src/text"
CHARACTERS = [c for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000]
NONE = ""  # the class of characters that no pattern names by class


def explicit_ranges():
    table = (SOURCE / "pretokenizer_table.cc").read_text()
    names = set(re.findall(r"\\[pP]\{(.*?)\}", table))
    assert names == {"L", "L&", "M", "N", "P", "S"}, f"classes that this script does not know: {names}"
    return sorted({(int(first, 16), int(last or first, 16))
                   for first, last in re.findall(r"\\x\{(\w+)\}(?:-\\x\{(\w+)\})?", table)})


def class_of(category):
    """What the patterns can tell apart."""
    if category in ("Lu", "Ll", "Lt"):
        return "L&"
    return category[0] if category[0] in "LMNPS" else NONE


def size(c):
    return len(chr(c).encode())


def by_signature():
    """For each character the indices of the ranges that it is in."""
    ranges = explicit_ranges()
    ends = sorted({0, 0x110000} | {first for first, _ in ranges} | {last + 1 for _, last in ranges})
    out = {}
    for begin, end in zip(ends, ends[1:]):
        signature = tuple(i for i, (first, last) in enumerate(ranges) if first <= begin <= last)
        out.update(dict.fromkeys(range(begin, end), signature))
    return out


def stand_ins():
    """By character; characters that need none are left out."""
    signature = by_signature()
    candidates, unassigned, wanted = {}, {}, []
    for c in CHARACTERS:
        old, new = unicodedata.category(chr(c)), unicodedata2.category(chr(c))
        key = class_of(new), size(c), signature[c]
        if new == "Cn":
            unassigned[key] = c
        if new == "Cn" or (old == "Cn" and key[0] != NONE):
            wanted.append((c, key))
        elif new == old and not chr(c).isspace() and key not in candidates:
            candidates[key] = c
        assert old == "Cn" or class_of(old) == class_of(new), f"U+{c:04X} has changed its class"
    # Where no other character will do, one without a meaning stands for all that have none.
    return {c: candidates.get(key, unassigned.get(key)) for c, key in wanted}


def ranges(stand_in):
    out = []
    for c, stand in stand_in.items():
        if out and out[-1][1] == c - 1 and out[-1][2] == stand:
            out[-1][1] = c
        else:
            out.append([c, c, stand])
    return out


def main():
    assert unicodedata.unidata_version == OLDEST, f"this Python has Unicode {unicodedata.unidata_version}"
    assert unicodedata2.unidata_version == UNICODE, f"unicodedata2 has Unicode {unicodedata2.unidata_version}"
    entries = [f"{{0x{first:x}, 0x{last:x}, 0x{stand:x}}}," for first, last, stand in ranges(stand_ins())]
    lines = [f"// Made by scripts/unicode_classes.py from Unicode {UNICODE} and {OLDEST}.",
             f'constexpr std::string_view kUnicodeVersion = "{UNICODE}";',
             "constexpr Range kRanges[] = {"]
    line = "   "
    for entry in entries:
        if len(line) + len(entry) > 108:
            lines.append(line)
            line = "   "
        line += " " + entry
    out = SOURCE / "unicode_classes.inc"
    out.write_text("\n".join([*lines, line, "};", ""]))
    print(f"{out}: {len(entries)} ranges")


if __name__ == "__main__":
    main()
