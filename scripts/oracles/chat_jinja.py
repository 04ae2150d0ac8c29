#!/usr/bin/env python3
"""Chat prompts from jinja2: tests/golden/chat/prompts.json.

usage: chat_jinja.py SmolLM2.gguf google-gemma-2-2b-it.jinja

SmolLM2's template is read from the model file. Gemma 2's is a published file; Gemma 3's differs from it by
a system text that opens the first turn, which is added here. The start token is left out: the tokenizer
adds it.
"""

import json
import pathlib
import sys

import gguf
import jinja2

TURNS = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "  Hi! How can I help?\n"},
    {"role": "user", "content": "\u3000Tell me a joke.\t\u00a0 "},
]
SYSTEM = {"role": "system", "content": " Be brief. "}
CONVERSATIONS = [[], TURNS[:1], TURNS[:2], TURNS, [SYSTEM] + TURNS[:1], [SYSTEM] + TURNS, [SYSTEM],
                 [{"role": "user", "content": "line\n\nline\r\n"}], [{"role": "user", "content": ""}]]


def with_system(template):
    """Gemma 2's template with Gemma 3's treatment of a system message."""
    refuse = ("{% if messages[0]['role'] == 'system' %}"
              "{{ raise_exception('System role not supported') }}{% endif %}")
    merge = ("{% if messages and messages[0]['role'] == 'system' %}"
             "{% set opening = messages[0]['content'] + '\n\n' %}"
             "{% set messages = messages[1:] %}{% else %}{% set opening = '' %}{% endif %}")
    assert refuse in template
    template = template.replace(refuse, merge)
    content = "message['content'] | trim"
    assert content in template
    return template.replace(content, "(opening if loop.first else '') + (message['content'] | trim)")


def main():
    smollm, gemma = sys.argv[1:]
    fields = gguf.GGUFReader(smollm).fields
    templates = {"chatml": fields["tokenizer.chat_template"].contents(),
                 "gemma": with_system(pathlib.Path(gemma).read_text())}
    golden = []
    for name, text in templates.items():
        template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(text)
        for messages in CONVERSATIONS:
            for generation in (False, True):
                prompt = template.render(messages=messages, add_generation_prompt=generation, bos_token="")
                golden.append({"format": name, "messages": messages, "generation": generation,
                               "prompt": prompt})
    out = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/chat/prompts.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"smollm2_template": templates["chatml"], "prompts": golden}, indent=1) + "\n")
    print(f"{out}: {len(golden)} prompts")


if __name__ == "__main__":
    main()
