"""Which tokens the program makes of a prompt."""
import json
import pathlib
import tempfile
import unittest

import program
from gguf_file import BOOL
from program import kvsplit
from tiny_models import CHATML, CONTROL, say, scripted_model

SPECIALS = [("<s>", CONTROL), ("</s>", CONTROL), ("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL)]
END_TOKEN = ("tokenizer.ggml.add_eos_token", BOOL, True)


class Prompt(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "model.gguf"

    def make(self, template=None, bos="<s>", metadata=()):
        """A model that goes on with " yes" after a line break."""
        scripted_model(self.path, SPECIALS, say(" yes", "\n", "</s>"), template, eos="</s>", bos=bos, metadata=metadata)

    def run_prompt(self, prompt, *arguments):
        done = kvsplit("run", "-m", self.path, "-p", prompt, "-n", 8, "--kv", "f16", "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        return answer["text"], answer["prompt_tokens"], done.stderr

    def test_no_end_token_follows_a_prompt(self):
        for template in [None, CHATML]:
            self.make(template)
            plain = self.run_prompt("x\n")
            self.assertEqual(plain[0], " yes")
            self.make(template, metadata=[END_TOKEN])
            self.assertEqual(self.run_prompt("x\n"), plain)

    def test_no_end_token_before_a_text_without_start_token(self):
        self.make(bos=None, metadata=[END_TOKEN])
        self.assertEqual(self.run_prompt("x\n")[:2], (" yes", 2))

    def test_raw_text_with_the_start_token_has_it_once(self):
        self.make(CHATML)
        self.assertEqual(self.run_prompt("x\n", "--raw"), (" yes", 3, ""))
        text, n_tokens, note = self.run_prompt("<s>x\n", "--raw")
        self.assertEqual((text, n_tokens), (" yes", 3))
        self.assertIn("begins with the start token <s>", note)
        self.make(bos=None)  # without a template: as raw
        self.assertEqual(self.run_prompt("<s>x\n"), (" yes", 3, ""))

    def test_templates_that_write_the_start_token(self):
        line = "{{ messages[0].content }}{{ '\n' }}"
        counts = []
        for bos in ["<s>", None]:
            for template in [line, "<s>" + line, "{{ '\n' }}<s>" + line]:
                self.make(template, bos)
                counts.append(self.run_prompt("x")[1])
        self.assertEqual(counts, [3, 3, 4, 2, 3, 4])


if __name__ == "__main__":
    program.main(needs_model=False)
