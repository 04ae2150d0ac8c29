"""Says which tests were skipped, and why: skipped_tests.py FILE..., each what ctest --output-junit wrote.

A test that ctest skipped says why in its output; tests in Python also skip single cases, which ctest does not see.
"""

import collections
import os
import re
import sys
import xml.etree.ElementTree

# With a description, unittest puts it on a line of its own.
CASE = re.compile(r"^(\w+) \([\w.]+\)(?: |\n.*)\.\.\. skipped ['\"](.*)['\"]$", re.MULTILINE)
REASON = re.compile(r"(?::\d+: Skipped\n+|^SKIPPED: )(.+)", re.MULTILINE)  # GoogleTest's, ours


def skipped(path):
    """(name, reason) of each."""
    for test in xml.etree.ElementTree.parse(path).iter("testcase"):
        name, output = test.get("name").split("  #")[0], test.findtext("system-out") or ""
        mark = test.find("skipped")
        if test.get("status") == "disabled" or mark is not None and mark.get("message", "").startswith("SKIP_"):
            reason = REASON.search(output)
            yield name, reason[1] if reason else "disabled in this build"
        else:
            for case, reason in CASE.findall(output):
                yield f"{name}: {case}", reason


def main():
    by_reason = collections.defaultdict(list)
    for path in filter(os.path.exists, sys.argv[1:]):  # ctest writes none when it is interrupted
        for name, reason in skipped(path):
            by_reason[reason].append(name)
    total = sum(map(len, by_reason.values()))
    if total == 0:
        print("No test was skipped.")
        return
    print(f"{total} test{'s were' if total > 1 else ' was'} skipped:")
    for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        print(f"  {len(names):3}  {reason}")
        print(f"       {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}")


if __name__ == "__main__":
    main()
