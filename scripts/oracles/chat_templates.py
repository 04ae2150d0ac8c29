#!/usr/bin/env python3
"""Chat templates as transformers renders them.

usage: chat_templates.py golden TEMPLATES...              writes templates.json and language.json
       chat_templates.py compare RENDER_CASES TEMPLATES... shows where the interpreter differs, and its speed
       chat_templates.py fuzz RENDER_CASES [--count N] [--seed N]

TEMPLATES are files with chat templates; each is rendered for all of chat_conversations.py, with and without
add_generation_prompt. RENDER_CASES is the program of that name, which the tests' build makes. The clock stands
at 2025-03-04 05:06:07.

The goldens lie in tests/golden/chat. templates.json has for each template and rendering the length and a 64-bit
FNV-1a hash of the output, or the message with which the template refused the conversation; null where something
else went wrong. language.json has small templates and what comes out: those of jinja_language.py and random
ones.
"""

import argparse
import datetime
import json
import pathlib
import random
import subprocess
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils as utils

from chat_conversations import CONVERSATIONS
from jinja_grammar import Grammar
from jinja_language import CASES

NOW = datetime.datetime(2025, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


class StoppedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW.replace(tzinfo=None)


def variables_of(conversation, generation):
    """What a template sees, as apply_chat_template() prepares it."""
    chat = utils._normalize_chat_messages(conversation["messages"])
    chat = utils._alias_reasoning_fields(utils._plain_template_data(chat))
    return {"messages": chat, "tools": conversation["tools"], "documents": conversation["documents"],
            "add_generation_prompt": generation, **TOKENS, **conversation["variables"]}


def render(template, variables):
    """("output", text), ("raised", message) or ("operation" or "syntax", message)."""
    try:
        compiled = utils._compile_jinja_template(template)
    except Exception as error:  # also of Python's compiler
        return "syntax", f"{type(error).__name__}: {error}"
    try:
        return "output", compiled.render(**variables)
    except jinja2.TemplateError as error:
        return ("raised" if type(error) is jinja2.TemplateError else "operation"), str(error)
    except Exception as error:
        return "operation", f"{type(error).__name__}: {error}"


def own_results(program, cases, *options):
    lines = "".join(json.dumps({**case, "now": int(NOW.timestamp())}) + "\n" for case in cases)
    ran = subprocess.run([program, *options], input=lines.encode(), stdout=subprocess.PIPE)
    if ran.returncode != 0:
        sys.exit(f"{program}: exit code {ran.returncode}")
    return [json.loads(line) for line in ran.stdout.split(b"\n")[:-1]]


def own_outcome(result):
    return ("output", result["output"]) if "output" in result else (result["fault"], result["refused"])


def agree(expected, own):
    """Whether output or refusal are the same. Messages only count if the template itself raised them."""
    if expected[0] in ("output", "raised"):
        return expected == own
    return own[0] == ("limit" if expected[1].startswith("RecursionError") else expected[0])


def fnv1a(text):
    value = 0xcbf29ce484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def renderings():
    return [(i, generation) for i in range(len(CONVERSATIONS)) for generation in (False, True)]


GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/chat"


def golden_language(n_random=240):
    grammar = Grammar(random.Random(7))
    data = [grammar.variables() for _ in range(8)]
    cases = [(template, variables) for template, variables in CASES]
    cases += [(grammar.template(), i % len(data)) for i in range(4 * n_random)]
    lines = []
    for template, variables in cases:
        kind, text = render(template, variables if isinstance(variables, dict) else data[variables])
        if " at 0x" in text.lower() or len(text) > 1000 or len(template) > 1200:
            continue
        outcome = {kind: text} if kind in ("output", "raised") else {"refused": kind}
        lines.append(json.dumps({"template": template, "variables": variables, **outcome}))
        if len(lines) == len(CASES) + n_random:
            break
    out = GOLDEN / "language.json"
    out.write_text(f'{{"now": {int(NOW.timestamp())}, "data": [\n' + ",\n".join(json.dumps(d) for d in data)
                   + '],\n"cases": [\n' + ",\n".join(lines) + "]}\n")
    print(f"{out}: {len(lines)} templates, {out.stat().st_size} bytes")


def golden(paths):
    golden_language()
    templates = {}
    for path in paths:
        results = []
        for i, generation in renderings():
            kind, text = render(read(path), variables_of(CONVERSATIONS[i], generation))
            results.append(f"{len(text.encode())} {fnv1a(text)}" if kind == "output"
                           else {"raised": text} if kind == "raised" else None)
        templates[path.name] = {"source": fnv1a(read(path)), "results": results}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in templates.items())
    conversations = ",\n".join(" " + json.dumps(c) for c in CONVERSATIONS)
    out = GOLDEN / "templates.json"
    out.write_text(f'{{"transformers": "{transformers.__version__}", "jinja2": "{jinja2.__version__}",\n'
                   f'"now": {int(NOW.timestamp())}, "tokens": {json.dumps(TOKENS)},\n'
                   f'"conversations": [\n{conversations}],\n"templates": {{\n{lines}}}}}\n')
    print(f"{out}: {len(templates)} templates, {len(renderings())} renderings each, {out.stat().st_size} bytes")


def read(path):
    return path.read_bytes().decode()


def report(expected, own, where):
    print(f"--- {where}\n    jinja2:  {expected[0]}: {expected[1]!r}\n    kvsplit: {own[0]}: {own[1]!r}")


def compare(program, paths):
    same, different, times = 0, 0, []
    outcomes = {"output": 0, "raised": 0, "operation": 0, "syntax": 0}
    for path in paths:
        cases = [{"template": read(path), "variables": variables_of(CONVERSATIONS[i], generation)}
                 for i, generation in renderings()]
        for (i, generation), case, result in zip(renderings(), cases, own_results(program, cases, "--time")):
            expected, own = render(case["template"], case["variables"]), own_outcome(result)
            outcomes[expected[0]] += 1
            times += [result["microseconds"]] if "microseconds" in result else []
            if agree(expected, own):
                same += 1
            else:
                different += 1
                report(expected, own, f"{path.name}, conversation {i}, generation {generation}")
    times.sort()
    print(f"{len(paths)} templates, {same} renderings the same, {different} different; {outcomes}")
    print(f"microseconds: median {times[len(times) // 2]:.0f}, 90 % {times[len(times) * 9 // 10]:.0f}, "
          f"most {times[-1]:.0f}")
    return different == 0


def is_known(expected, own):
    """Known differences: integers of any size, unbounded memory and addresses of objects, which only Python has."""
    return (" at 0x" in expected[1].lower() or own[0] == "limit"
            or (own[0] == "operation" and own[1].endswith("more than 64 bits")))


def fuzz(program, count, seed):
    grammar = Grammar(random.Random(seed))
    different, known = 0, 0
    outcomes = {"output": 0, "raised": 0, "operation": 0, "syntax": 0}
    for start in range(0, count, 500):
        cases = [{"template": grammar.template(), "variables": grammar.variables()}
                 for _ in range(min(500, count - start))]
        for case, result in zip(cases, own_results(program, cases)):
            expected, own = render(case["template"], case["variables"]), own_outcome(result)
            outcomes[expected[0]] += 1
            if agree(expected, own):
                continue
            if is_known(expected, own):
                known += 1
                continue
            different += 1
            report(expected, own, json.dumps(case))
    print(f"{count} templates, {different} different, {known} where Python has no limits; {outcomes}")
    return different == 0


def main():
    utils.datetime = StoppedClock
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("golden", "compare"):
        command = commands.add_parser(name)
        if name == "compare":
            command.add_argument("program")
        command.add_argument("templates", nargs="+", type=pathlib.Path)
    command = commands.add_parser("fuzz")
    command.add_argument("program")
    command.add_argument("--count", type=int, default=5000)
    command.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.command == "golden":
        golden(sorted(args.templates))
    elif args.command == "compare":
        sys.exit(0 if compare(args.program, sorted(args.templates)) else 1)
    else:
        sys.exit(0 if fuzz(args.program, args.count, args.seed) else 1)


if __name__ == "__main__":
    main()
