"""Every command with its defaults on small models of unusual shapes: head sizes, short contexts, large numbers."""
import json
import pathlib
import struct
import tempfile
import unittest

import program
from gguf_file import F32, GgufFile, STRING
from program import kvsplit
from tiny_models import random_model

TEXT = "".join(chr(97 + i * i % 26) + (" " if i % 7 == 0 else "") for i in range(1500))


class Shapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.text = cls.folder / "text.txt"
        cls.text.write_text(TEXT)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def model(self, **shape):
        path = self.folder / ("-".join(f"{k}{v}" for k, v in shape.items()) + ".gguf")
        return random_model(path, **{"n_layers": 1, "context": 512, **shape})

    def run_it(self, command, *arguments):
        done = kvsplit(command, *arguments, "-t", 1)
        self.assertEqual(done.returncode, 0, f"{command} {arguments}: {done.stderr}")
        return done


class HeadSizes(Shapes):
    SIZES = [8, 60, 100, 120, 176]

    def test_every_width_is_counted_as_it_is_stored(self):
        for head_dim in self.SIZES:
            model = self.model(head_dim=head_dim)
            for kv in ["k5v4", "k8v2", "k3v16"]:
                done = json.loads(self.run_it("run", "-m", model, "--raw", "-p", TEXT[:250], "-n", 3, "--kv", kv,
                                              "--json").stdout)
                self.assertEqual(done["kv"], kv)
                n_tokens = done["prompt_tokens"] + done["tokens"] - 1
                plan = json.loads(self.run_it("plan", "-m", model, "--kv", kv, "-c", n_tokens, "--json").stdout)
                self.assertEqual(plan["results"][0]["kv_bytes"], done["kv_bytes"], f"{head_dim} {kv}")

    def test_the_default_is_not_refused(self):
        done = self.run_it("run", "-m", self.model(head_dim=100), "--raw", "-p", "hi", "-n", 3)
        self.assertNotIn("error", done.stderr)
        self.assertIn("k5v4", done.stderr)

    def test_more_bits_are_closer(self):
        for head_dim in [8, 100]:
            done = self.run_it("perplexity", "-m", self.model(head_dim=head_dim), "-f", self.text, "-c", 256, "--exact",
                               "--chunks", 2, "--kv", "f16,k8v8,k5v5,k3v3", "--json")
            kld = [r["vs_f16"]["kld_mean"] for r in json.loads(done.stdout)["results"][1:]]
            self.assertEqual(kld, sorted(kld))
            self.assertGreater(kld[0], 0)
            self.assertLess(kld[0], kld[2] / 100)

    def test_codes_that_save_nothing_are_not_chosen(self):
        # Key codes of 2 channels are stored as those of 16.
        model = self.model(head_dim=2, n_heads=8)
        done = self.run_it("run", "-m", model, "--raw", "-p", "hi", "-n", 1, "--kv", "auto:0.0001")
        self.assertRegex(done.stderr, r"--kv auto: (f16|k16v\d+),")
        done = self.run_it("tune", "-m", model, "--chunks", 1, "--check-chunks", 1, "-c", 256)
        self.assertRegex(done.stdout, r"--kv (f16|k16v\d+)")

    def test_reports(self):
        model = self.model(head_dim=60)
        self.assertNotIn("not possible", kvsplit("info", model).stdout)
        self.run_it("bench", "-m", model, "-p", 64, "-n", 8, "-d", 0, "-r", 1, "--kv", "f16,k5v4")
        done = self.run_it("compare", "-m", model, "--quick", "-o", self.folder / "report", "-p", 32, "-n", 4,
                           "--kv", "f16,k8v8,k4v4")
        self.assertNotIn("is left out", done.stderr)


class ShortContexts(Shapes):
    def test_defaults(self):
        for context in [32, 128, 512]:
            model = self.model(head_dim=16, context=context)
            done = self.run_it("perplexity", "-m", model, "-f", self.text, "--chunks", 2)
            self.assertIn(f"chunks of {context} tokens instead of 2048: the model was made for no more", done.stderr)
            done = self.run_it("tune", "-m", model, "--chunks", 1, "--check-chunks", 1)
            self.assertIn(f"chunks of {context} tokens instead of 1024", done.stderr)
            self.run_it("run", "-m", model, "--raw", "-p", "hi")
            self.run_it("run", "-m", model, "--raw", "-p", "hi", "-n", 2, "--kv", "auto")
            self.run_it("bench", "-m", model, "-r", 1, "--kv", "k5v4")
            self.run_it("compare", "-m", model, "--quick", "--kv", "k5v4", "-o", self.folder / f"compare{context}")

    def test_an_explicit_context_stays_an_error(self):
        model = self.model(head_dim=16, context=128)
        for command in [["perplexity", "-f", self.text], ["tune"], ["eval", "--task", "copy"]]:
            done = kvsplit(command[0], "-m", model, *command[1:], "-c", 512)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn("was made for 128", done.stderr)

    def test_eval(self):
        done = self.run_it("eval", "-m", self.model(head_dim=16, context=512), "--items", 2, "--kv", "f16,k5v4")
        self.assertIn("prompts of 512 tokens instead of 2048: the model was made for no more", done.stderr)
        done = self.run_it("eval", "-m", self.model(head_dim=16, context=192), "--items", 2, "--kv", "f16,k5v4")
        self.assertIn("needle is left out: a context of 192 tokens is too small", done.stderr)
        self.assertIn("copy: 2 questions", done.stdout)
        done = kvsplit("eval", "-m", self.model(head_dim=16, context=32))
        self.assertEqual(done.returncode, 1)
        self.assertIn("a context of 32 tokens is too small", done.stderr)

    def test_solved_questions_leave_room_for_the_question(self):
        questions = self.folder / "lambada.jsonl"
        questions.write_text("".join(json.dumps({"text": f"the quick fox no {i} jumps over the dog"}) + "\n"
                                     for i in range(40)))
        done = self.run_it("eval", "-m", self.model(head_dim=16, context=256), "--task", "lambada", "-f", questions,
                           "--kv", "f16,k5v4", "--json")
        task = json.loads(done.stdout)["tasks"][0]
        self.assertGreater(task["shots"], 1)
        self.assertLessEqual(task["longest_prompt"], 256)

    def test_a_text_shorter_than_a_chunk(self):
        short = self.folder / "short.txt"
        short.write_text(TEXT[:300])
        done = self.run_it("perplexity", "-m", self.model(head_dim=16, context=4096), "-f", short)
        self.assertRegex(done.stderr, r"chunks of (\d+) tokens instead of 2048: the text has \1 tokens")

    def test_exact_caches_are_told(self):
        done = self.run_it("perplexity", "-m", self.model(head_dim=16, context=128), "-f", self.text, "--chunks", 1,
                           "--kv", "f16,k8v4")
        self.assertIn("k8v4: no token of a chunk of 128 reads a sealed page", done.stderr)


class LearnedPositions(Shapes):
    """Models that hold no more tokens than they have positions."""

    def gpt2(self, context):
        model = GgufFile(self.model(head_dim=16, n_kv_heads=2, context=context))
        n_embd = model.get("llama.embedding_length")
        model.metadata = [[key.replace("llama.", "gpt2."), kind, value] for key, kind, value in model.metadata]
        model.set("general.architecture", STRING, "gpt2")
        model.set("gpt2.attention.layer_norm_epsilon", F32, 1e-5)
        model.tensors = [t for t in model.tensors if "ffn_gate" not in t[0]]
        model.tensors.append(["position_embd.weight", [n_embd, context], 0, bytes(4 * n_embd * context)])
        return model.save(self.folder / f"positions{context}.gguf")

    def test_defaults(self):
        model = self.gpt2(128)
        done = self.run_it("bench", "-m", model, "-r", 1, "--kv", "k5v4")
        self.assertIn("--prefill 128 instead of 512: the model knows 128 positions", done.stderr)
        done = kvsplit("bench", "-m", model, "-p", 200)
        self.assertEqual(done.returncode, 1)
        self.assertIn("knows 128 positions", done.stderr)
        done = self.run_it("compare", "-m", model, "--quick", "--kv", "k5v4", "-o", self.folder / "positions")
        self.assertIn("measured with 64 tokens instead of 512: the model knows 128 positions", done.stderr)
        self.run_it("perplexity", "-m", model, "-f", self.text, "--chunks", 1)
        self.run_it("run", "-m", model, "--raw", "-p", "hi")


class LargeNumbers(Shapes):
    """Keys times X and queries divided by it are the same model; so are values and the output's product."""

    def scaled(self, path, factors):
        model = GgufFile(path)
        for name, _, _, data in model.tensors:
            for part, factor in factors.items():
                if name.endswith(part + ".weight"):
                    values = struct.unpack(f"<{len(data) // 4}f", data)
                    model.tensor(name)[3] = struct.pack(f"<{len(values)}f", *(v * factor for v in values))
        return model.save(self.folder / "scaled.gguf")

    def report(self, model, kv):
        done = self.run_it("perplexity", "-m", model, "-f", self.text, "-c", 256, "--chunks", 1, "--exact", "--kv",
                           f"f32,{kv}", "--json")
        return [r["ppl"] for r in json.loads(done.stdout)["results"]]

    def test_the_model_is_the_same(self):
        model = self.model(head_dim=64, n_heads=4, n_kv_heads=2, n_layers=2)
        expected = self.report(model, "f16,k5v4")
        for power in [2**20, 2**-20, 2**60]:
            for sides in [("attn_k", "attn_q"), ("attn_v", "attn_output")]:
                scaled = self.scaled(model, {sides[0]: power, sides[1]: 1 / power})
                for ppl, same in zip(self.report(scaled, "f16,k5v4"), expected):
                    self.assertAlmostEqual(ppl / same, 1, places=7, msg=(power, sides))


if __name__ == "__main__":
    program.main(needs_model=False)
