"""The commands on a real model."""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import tempfile
import time
import unittest

import program
from program import kvsplit

KV_BYTES = {"key", "value", "exact", "total", "f16_total"}
QUESTION = "Name three colours."


def run_json(*arguments, stdin=b""):
    done = kvsplit("run", "-m", program.MODEL, "--json", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


class Run(unittest.TestCase):
    def test_the_first_question(self):
        answer, _ = run_json("-p", "What is the capital of France?", "-n", 12)
        self.assertEqual(answer["text"].strip(), "The capital of France is Paris.")

    def test_json_has_the_documented_names(self):
        result, _ = run_json("-p", QUESTION, "-n", 12)
        self.assertEqual(list(result), ["text", "tokens", "prompt_tokens", "prefill_tokens_per_s",
                                        "decode_tokens_per_s", "kv", "kv_bytes", "saved_pct", "stop_reason"])
        self.assertEqual(set(result["kv_bytes"]), KV_BYTES)
        self.assertEqual(result["kv"], "k5v4")
        self.assertLessEqual(result["tokens"], 12)
        b = result["kv_bytes"]
        self.assertEqual(b["total"], b["key"] + b["value"] + b["exact"])
        self.assertAlmostEqual(result["saved_pct"], 100 * (1 - b["total"] / b["f16_total"]), places=6)

    def test_piped_stdout_is_the_text_alone(self):
        result, _ = run_json("-p", QUESTION, "-n", 12)
        done = kvsplit("run", "-m", program.MODEL, "-p", QUESTION, "-n", 12)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout, result["text"])
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        # So few tokens fill no page.
        for word in ["prompt:", "answer:", "cache k5v4:", " % more than f16"]:
            self.assertIn(word, done.stderr)
        done = kvsplit("run", "-m", program.MODEL, "-p", "word " * 300, "-n", 1)
        self.assertIn(" % saved against f16", done.stderr)

    def test_prompt_from_stdin_and_file(self):
        expected, _ = run_json("-p", QUESTION, "-n", 4)
        piped, _ = run_json("-p", "-", "-n", 4, stdin=QUESTION.encode())
        self.assertEqual(piped["text"], expected["text"])
        with tempfile.NamedTemporaryFile() as file:
            file.write(QUESTION.encode())
            file.flush()
            self.assertEqual(run_json("-f", file.name, "-n", 4)[0]["text"], expected["text"])

    def test_raw_leaves_the_chat_format_out(self):
        raw, _ = run_json("-p", QUESTION, "-n", 1, "--raw")
        chat, _ = run_json("-p", QUESTION, "-n", 1)
        self.assertLess(raw["prompt_tokens"], chat["prompt_tokens"])

    def test_chat_template_of_the_users(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
            file.write("{% if shout %}{{ messages[-1].content | upper }}{% else %}{{ messages[-1].content }}{% endif %}"
                       "{{ raise_exception('no ' ~ messages[-1].content) if 'refuse' in messages[-1].content }}")
            file.flush()
            arguments = ["--chat-template", file.name, "-n", 4]
            raw, _ = run_json("-p", QUESTION, "--raw", "-n", 4)
            self.assertEqual(run_json("-p", QUESTION, *arguments)[0]["text"], raw["text"])
            loud, _ = run_json("-p", QUESTION.upper(), "--raw", "-n", 4)
            kwargs = ["--chat-template-kwargs", '{"shout": true}']
            self.assertEqual(run_json("-p", QUESTION, *arguments, *kwargs)[0]["text"], loud["text"])
            refused = kvsplit("run", "-m", program.MODEL, "-p", "refused", *arguments)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"{file.name}, line 1: no refused", refused.stderr)
            system = kvsplit("run", "-m", program.MODEL, "-p", "Hi", "-s", "Be brief.", *arguments)
            self.assertEqual(system.returncode, 0)
            self.assertIn("no place for a system prompt", system.stderr)
            said = kvsplit("chat", "-m", program.MODEL, *arguments, stdin=f"{QUESTION}\n".encode())
            self.assertEqual(said.stdout, raw["text"] + "\n")

    def test_spellings_of_precision(self):
        for arguments, kv in [(["--kv", "k4v8"], "k4v8"), (["--kv-key", 16, "--kv-val", 8], "k16v8"),
                              (["--kvq-key", 4, "--kvq-val", 4], "k4v4"), (["--kvq", 8], "k8v8"),
                              (["--kvq", 8, "--kvq-val", 4], "k8v4"), (["--kv-val", 8], "k5v8"),
                              (["--kv", "f16"], "f16"), (["--kv", "k3v2", "--kv-tail", 128], "k3v2+tail=128"),
                              (["--kv-layers", "0-1,-2-:k8v8", "--kv-sinks", 0, "--kv-codec", "mean=off"],
                               "k5v4+sinks=0+mean=off+0-1=k8v8+-2-=k8v8")]:
            result, notes = run_json("-p", "Hi", "-n", 1, *arguments)
            self.assertEqual(result["kv"], kv)
            self.assertNotIn("-ct", notes)

    def test_llama_cpp_types_are_mapped_with_a_note(self):
        for arguments, kv, said in [(["-ctk", "q8_0", "-ctv", "q4_0"], "k8v4", 2),
                                    (["-ctk", "q8_0"], "k8v16", 1), (["-ctk", "bf16", "-ctv", "f16"], "f16", 2),
                                    (["-ctk", "iq4_nl", "-ctv", "q5_1"], "k4v5", 2)]:
            result, notes = run_json("-p", "Hi", "-n", 1, *arguments)
            self.assertEqual(result["kv"], kv)
            self.assertEqual(notes.count("kvsplit: note: -ct"), said)

    def test_automatic_precision(self):
        result, notes = run_json("-p", "Hi", "-n", 1, "--kv", "auto:0.002")
        self.assertRegex(result["kv"], r"^k[3456]v[2345]")
        self.assertIn("--kv auto: " + result["kv"], notes)
        for text in ["auto:", "auto:0", "auto:much"]:
            done = kvsplit("run", "-m", program.MODEL, "-p", "Hi", "--kv", text)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn("positive divergence", done.stderr)

    def test_stop_strings(self):
        free, _ = run_json("-p", QUESTION, "-n", 20)
        stop = free["text"][5:9]
        stopped, _ = run_json("-p", QUESTION, "-n", 20, "--stop", "never to be seen", "--stop", stop)
        self.assertEqual(stopped["text"], free["text"][:free["text"].index(stop)])
        self.assertEqual(stopped["stop_reason"], "stop")

    def test_seed_repeats_a_draw(self):
        arguments = ["-p", QUESTION, "-n", 12, "--temp", 1.2, "--top-k", 0, "--seed", 7]
        first, _ = run_json(*arguments)
        second, _ = run_json(*arguments)
        self.assertEqual(first["text"], second["text"])
        self.assertEqual(first["seed"], 7)

    def test_seed_of_minus_one_is_new_each_time(self):
        seeds = [run_json("-p", "Hi", "-n", 1, "--temp", 1, "--seed", -1)[0]["seed"] for _ in range(2)]
        self.assertNotEqual(*seeds)

    def test_full_context_stops_with_a_note(self):
        # Ends by itself only at the context's end: the end token is left out by asking for a raw continuation.
        done = kvsplit("run", "-m", program.MODEL, "-p", "one two three one two three", "--raw", "-c", 16, "-n",
                       -1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("context of 16 tokens is full", done.stderr)
        done = kvsplit("run", "-m", program.MODEL, "-p", "word " * 40, "--raw", "-c", 16)
        self.assertEqual(done.returncode, 1)
        self.assertIn("kvsplit: error: the prompt has", done.stderr)

    def test_empty_prompt(self):
        self.assertEqual(kvsplit("run", "-m", program.MODEL, "-p", "", "--raw").returncode, 2)

    def test_closed_pipe_is_no_failure(self):
        process = subprocess.Popen([program.BINARY, "run", "-m", program.MODEL, "-p", "Count to 100.", "-n", "200"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        with process.stderr:
            errors = process.stderr.read().decode()
        self.assertEqual(process.wait(timeout=120), 0)
        self.assertIn("ended by: closed", errors)
        self.assertNotIn("error", errors)

    def test_control_c_ends_in_order(self):
        process = subprocess.Popen([program.BINARY, "run", "-m", program.MODEL, "-p", "once upon a time", "--raw",
                                    "-n", "4000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)  # generation has begun
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        text.decode("utf-8")
        self.assertIn(b"ended by: interrupted", errors)
        self.assertRegex(errors, rb"saved|more than f16")  # as far as it came


class Memory(unittest.TestCase):
    COMMAND = ["run", "-m", None, "-p", QUESTION, "-n", 8]

    def run_with(self, *options):
        command = [program.MODEL if a is None else a for a in self.COMMAND]
        return kvsplit(*command, *options)

    def test_ways_to_read_the_file_give_the_same_text(self):
        expected = self.run_with()
        self.assertEqual(expected.returncode, 0, expected.stderr)
        for options in [["--no-mmap"], ["--mmap", "--no-memory-check"]]:
            done = self.run_with(*options)
            self.assertEqual((done.returncode, done.stdout), (0, expected.stdout), done.stderr)

    def test_locked_memory_or_what_to_do(self):
        done = self.run_with("--mlock")
        if done.returncode:
            for text in ["memory cannot be locked", "ulimit -l", "--mlock"]:
                self.assertIn(text, done.stderr)
        else:
            self.assertEqual(done.stdout, self.run_with().stdout)

    def test_what_cannot_fit_is_refused_early(self):
        start = time.monotonic()
        done = self.run_with("-c", 1 << 24, "--kv", "f16")  # 360 GiB
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        for text in [program.MODEL, "does not fit", "weights", "working memory", "16,777,216 tokens at f16", "available",
                     "What would fit: -c ", "--no-memory-check"]:
            self.assertIn(text, done.stderr)
        self.assertLess(time.monotonic() - start, 60)
        self.assertEqual(self.run_with("-c", 1 << 24, "--kv", "f16", "--no-memory-check").returncode, 0)


class Chat(unittest.TestCase):
    def test_turns_through_a_pipe(self):
        lines = "Hello!\n/stats\n/kv\nName a \\\ncolour.\n/stats\n/wrong\n/reset\n/kv\n/exit\nnever read\n"
        done = kvsplit("chat", "-m", program.MODEL, "-n", 8, stdin=lines.encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(done.stdout.count("\n"), 2)  # one after each answer
        self.assertNotIn("> ", done.stderr)
        prompts = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("prompt:")]
        self.assertEqual(len(prompts), 2)
        # The second turn evaluates its own tokens only, not the system prompt and the first turn again.
        self.assertLess(prompts[1], prompts[0])
        self.assertIn("/wrong is not a command", done.stderr)
        caches = [line for line in done.stderr.splitlines() if line.startswith("cache ")]
        self.assertIn("for 0 tokens", caches[-1])

    def test_full_context(self):
        done = kvsplit("chat", "-m", program.MODEL, "-n", 8, "-c", 64, stdin=("long " * 80 + "\nHi\n").encode())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no longer fits", done.stderr)

    def test_control_c_at_the_prompt_leaves(self):
        try:
            leader, follower = pty.openpty()
        except OSError as error:
            self.skipTest(f"NO TERMINAL: this machine gives none out ({error})")
        process = subprocess.Popen([program.BINARY, "chat", "-m", program.MODEL], stdin=follower,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seen = b""
        end = time.monotonic() + 60
        while b"> " not in seen and time.monotonic() < end:
            if select.select([process.stderr], [], [], 1)[0]:
                seen += os.read(process.stderr.fileno(), 4096)
        self.assertIn(b"/help", seen)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        os.close(leader)
        os.close(follower)


class Perplexity(unittest.TestCase):
    text = "The quick brown fox jumps over the lazy dog, and the dog says: never mind, it is warm here. " * 60

    def measure(self, *arguments):
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(self.text.encode())
            file.flush()
            return kvsplit("perplexity", "-m", program.MODEL, "-f", file.name, *arguments), file.name

    def test_json_has_the_documented_names(self):
        # 8-bit activations: with 16 the floor is as good as none.
        done, name = self.measure("-c", 256, "--chunks", 2, "--kv", "k8v4,f16", "--activations", 8, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(list(report), ["model", "text", "context", "activation_bits", "chunks", "tokens_scored",
                                        "floor", "base", "results"])
        self.assertEqual((report["text"], report["context"], report["chunks"]), (name, 256, 2))
        self.assertEqual(report["tokens_scored"], 2 * 127)
        self.assertEqual([r["kv"] for r in report["results"]], ["k8v4", "f16"])
        for result in report["results"]:
            self.assertEqual(list(result), ["kv", "ppl", "ppl_stderr", "vs_f16", "below_floor", "vs_base",
                                            "bits_per_element", "kv_bytes", "saved_pct"])
            self.assertEqual(set(result["kv_bytes"]), KV_BYTES)
            self.assertLessEqual({"ppl_change_pct", "ppl_change_stderr_pct", "kld_mean", "kld_median", "kld_p99",
                                  "kld_p999", "top1_agreement"}, set(result["vs_f16"]))
        quantised, exact = report["results"]
        self.assertEqual(exact["vs_f16"]["kld_mean"], 0)
        self.assertGreater(quantised["vs_f16"]["kld_mean"], 0)
        self.assertLess(quantised["kv_bytes"]["total"], exact["kv_bytes"]["total"])
        self.assertEqual(list(report["floor"]), ["kv", "ppl", "ppl_stderr", "vs_f16"])
        self.assertGreater(report["floor"]["vs_f16"]["kld_mean"], 1e-4)
        self.assertLessEqual(set(quantised["below_floor"]), set(quantised["vs_f16"]))
        self.assertIsNone(exact["below_floor"])
        self.assertIsNone(report["base"])

    def test_noise_floor_where_it_means_something(self):
        for arguments in [["--no-floor"], ["--exact"]]:
            done, _ = self.measure("-c", 64, "--chunks", 1, *arguments, "--json")
            report = json.loads(done.stdout)
            self.assertIsNone(report["floor"])
            self.assertIsNone(report["results"][1]["below_floor"])
            self.assertEqual(report["activation_bits"], 32 if "--exact" in arguments else 16)
        done, _ = self.measure("-c", 64, "--chunks", 1, "--exact")
        self.assertNotIn("~", done.stdout)
        self.assertIn("no noise floor measured", done.stdout)

    def test_base(self):
        done, _ = self.measure("-c", 64, "--chunks", 1, "--base-exact", "--json")
        report = json.loads(done.stdout)
        self.assertEqual(list(report["base"]), ["model", "activation_bits", "kv", "ppl", "ppl_stderr"])
        self.assertEqual((report["base"]["model"], report["base"]["activation_bits"]), (program.MODEL, 32))
        for result in report["results"]:
            self.assertGreater(result["vs_base"]["kld_mean"], 0)
        # The same weights in the same arithmetic: differences from the base equal those from f16.
        done, _ = self.measure("-c", 64, "--chunks", 1, "--base", program.MODEL, "--json")
        f16, k8v4, _ = json.loads(done.stdout)["results"]
        self.assertEqual(f16["vs_base"]["kld_mean"], 0)
        self.assertEqual(k8v4["vs_base"], k8v4["vs_f16"])
        done, _ = self.measure("-c", 64, "--chunks", 1, "--base", program.MODEL)
        self.assertIn("Against the f16 cache of", done.stdout)

    def test_without_f16_there_is_no_comparison(self):
        done, _ = self.measure("-c", 64, "--chunks", 1, "--kv", "k8v4", "--json")
        self.assertIsNone(json.loads(done.stdout)["results"][0]["vs_f16"])

    def test_table(self):
        done, _ = self.measure("-c", 64, "--chunks", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ["f16", "k8v4", "noise floor", "PPL", "KL divergence", "saved"]:
            self.assertIn(word, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 120)

    def test_control_c_before_the_first_figure(self):
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write((self.text * 20).encode())
            file.flush()
            process = subprocess.Popen([program.BINARY, "perplexity", "-m", program.MODEL, "-f", file.name, "-c",
                                        "8000", "--exact"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=120)
        # Before the model was loaded the signal's own effect holds, afterwards the command ends in order.
        self.assertIn(process.returncode, [130, -signal.SIGINT])
        self.assertEqual(text, b"")

    def test_short_text(self):
        done, _ = self.measure("-c", 4096)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"the text has \d+ tokens: one chunk of 4096 tokens needs 4096. Give a longer text or")
        done, _ = self.measure("-c", 256, "--chunks", 99)
        self.assertEqual(done.returncode, 1)
        self.assertIn("99 chunks of 256 tokens need 25344. Give a longer text, fewer chunks or", done.stderr)

    def test_more_context_than_the_model_has(self):
        done, _ = self.measure("-c", 8193)
        self.assertEqual(done.returncode, 1)
        self.assertIn("was made for 8192 tokens", done.stderr)


class Bench(unittest.TestCase):
    def measure(self, *arguments):
        repeats = [] if "-r" in arguments else ["-r", 1]
        return kvsplit("bench", "-m", program.MODEL, "-p", 16, "-n", 2, *repeats, *arguments)

    def test_json_has_the_documented_names(self):
        done = self.measure("--kv", "f16,k8v4", "-d", "0,200", "-t", 1, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(list(report), ["model", "threads", "cpu", "kernels", "activation_bits", "fill", "repeats",
                                        "read_gb_per_s", "peak_rss", "results"])
        self.assertEqual((report["model"], report["threads"], report["fill"]), (program.MODEL, 1, "evaluated"))
        self.assertGreater(report["peak_rss"], 98_000_000)
        self.assertEqual([(r["kv"], r["depth"], r["test"]) for r in report["results"]],
                         [(kv, depth, test) for kv in ["f16", "k8v4"] for depth in [0, 200]
                          for test in ["prefill", "decode"]])
        for result in report["results"]:
            self.assertEqual(list(result), ["kv", "test", "tokens", "depth", "tokens_per_s", "stddev", "samples",
                                            "kv_bytes_per_token", "kv_gb_per_s", "read_share", "kv_bytes"])
            self.assertGreater(result["tokens_per_s"], 0)
            self.assertEqual(result["kv_bytes_per_token"] is None, result["test"] == "prefill")
        # 30 layers of 3 heads, 64 + 64 channels of 2 bytes; 201 tokens, then 202.
        self.assertEqual(report["results"][3]["kv_bytes_per_token"], 201.5 * 30 * 3 * 128 * 2)

    def test_csv(self):
        done = self.measure("--kv", "k8v4", "-d", "2048", "--fast-fill", "--csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        head, *lines = [line.split(",") for line in done.stdout.splitlines()]
        self.assertEqual([len(line) for line in lines], 2 * [len(head)])
        self.assertEqual([dict(zip(head, line))["test"] for line in lines], ["prefill", "decode"])
        self.assertEqual(dict(zip(head, lines[0]))["fill"], "random")

    def test_what_cannot_fit_is_refused_early(self):
        done = self.measure("--kv", "k4v4,f16", "-d", 1 << 23, "--fast-fill")  # 180 GiB
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("8,388,624 tokens at f16", done.stderr)

    def test_table_beyond_the_trained_context(self):
        done = self.measure("--kv", "k4v4", "-d", "9000", "--fast-fill")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ["k4v4", "9,000", "prefill 16, tok/s", "decode 2, tok/s", "--fast-fill"]:
            self.assertIn(word, done.stdout)
        self.assertNotIn("+-", done.stdout)  # of one measurement
        self.assertIn("+-", self.measure("--kv", "k4v4", "-r", 2).stdout)
        self.assertIn("the model was made for 8,192", done.stderr)

    def test_control_c_keeps_what_was_measured(self):
        process = subprocess.Popen([program.BINARY, "bench", "-m", program.MODEL, "-d", "0,8000", "--kv", "f16,k8v4",
                                    "-r", "1", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(4)  # in the middle of filling the caches
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=120)
        self.assertIn(process.returncode, [130, -signal.SIGINT])
        for result in json.loads(text)["results"] if text else []:
            self.assertGreater(result["tokens_per_s"], 0)


class Plan(unittest.TestCase):
    def plan(self, *arguments):
        done = kvsplit("plan", "-m", program.MODEL, "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_json_has_the_documented_names(self):
        report = self.plan("--memory", "1G", "--kv", "f16,k8v4,k4v4")
        self.assertEqual(list(report), ["model", "memory_bytes", "memory_from", "program_bytes", "weight_bytes",
                                        "trained_context", "heads", "kv_heads", "layer_kinds", "reading_layers",
                                        "recurrent_layers", "recurrent_bytes", "results"])
        self.assertEqual((report["memory_bytes"], report["memory_from"]), (2**30, "given"))
        self.assertEqual(report["layer_kinds"], [{"window": 0, "layers": 30}])
        self.assertEqual((report["recurrent_layers"], report["recurrent_bytes"]), (0, 0))
        for result in report["results"]:
            self.assertEqual(list(result), ["kv", "context", "at_least", "beyond_trained", "times_f16", "fits",
                                            "bits_per_element", "kv_bytes", "kv_bytes_by_kind", "bytes_per_token",
                                            "working_bytes", "total_bytes"])
            self.assertEqual(result["total_bytes"], report["program_bytes"] + report["weight_bytes"] +
                             result["working_bytes"] + result["kv_bytes"]["total"])
            self.assertLessEqual(result["total_bytes"], 2**30)
            self.assertGreater(result["total_bytes"], 0.99 * 2**30)
            self.assertTrue(result["fits"])
            self.assertTrue(result["beyond_trained"])
        f16, k8v4, _ = report["results"]
        self.assertEqual(f16["times_f16"], 1)
        self.assertAlmostEqual(k8v4["times_f16"], k8v4["context"] / f16["context"])
        self.assertEqual(f16["bytes_per_token"], 30 * 3 * 128 * 2)

    def test_bytes_are_those_of_a_run(self):
        run, _ = run_json("-p", QUESTION, "-n", 200, "--kv", "k8v4")
        # The last token of an answer is not evaluated.
        tokens = run["prompt_tokens"] + run["tokens"] - (run["stop_reason"] != "end")
        planned = self.plan("-c", tokens, "--kv", "k8v4")["results"][0]["kv_bytes"]
        self.assertEqual(planned, run["kv_bytes"])

    def test_sizes(self):
        for text, size in [("1G", 2**30), ("1GiB", 2**30), ("1gb", 10**9), ("1.5 G", 3 * 2**29), ("900M", 900 * 2**20),
                           ("1000000000", 10**9), ("1e9", 10**9), ("1048576k", 2**30)]:
            self.assertEqual(self.plan("--memory", text, "--kv", "k8v4")["memory_bytes"], size, text)

    def test_free_memory_is_the_default(self):
        report = self.plan("--kv", "k8v4")
        self.assertEqual(report["memory_from"], "available")
        self.assertGreater(report["memory_bytes"], 0)

    def test_table(self):
        done = kvsplit("plan", "-m", program.MODEL, "--memory", "1G")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ["weights", "working", "program", "f16", "k8v4", "* beyond the 8,192 tokens"]:
            self.assertIn(word, done.stdout)
        self.assertRegex(done.stdout, r"k5v4 holds 3\.\d times the context of f16 in the same memory")
        done = kvsplit("plan", "-m", program.MODEL, "--memory", "300M", "-c", "8192")
        self.assertRegex(done.stdout, r"f16 .* does not fit")
        self.assertRegex(done.stdout, r"k5v4 keeps 8,192 tokens in 3\.\d times less memory")

    def test_too_little_memory(self):
        done = kvsplit("plan", "-m", program.MODEL, "--memory", "50M")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"50.0 MiB do not hold the model: weights [\d.]+ MiB \+ .* = [\d.]+ MiB")


class Tune(unittest.TestCase):
    FEW = ["-c", 256, "--chunks", 1, "--check-chunks", 1, "--budget", 4.0]

    def test_profile_is_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.kv"
            done = kvsplit("tune", "-m", program.MODEL, *self.FEW, "-o", path, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            report = json.loads(done.stdout)
            self.assertEqual(len(report["layer_costs"]["key"]), 30)
            self.assertLessEqual(report["by_layer"]["bits_per_element"], 4.0)
            self.assertLessEqual(report["uniform"]["bits_per_element"], 4.0)
            self.assertIn(report["best"], [report["by_layer"]["kv"], report["uniform"]["kv"]])
            result, _ = run_json("-p", "Hi", "-n", 1, "--kv", "@" + str(path))
            self.assertEqual(result["kv"], report["best"])

    def test_short_text(self):
        with tempfile.TemporaryDirectory() as folder:
            text = pathlib.Path(folder) / "short.txt"
            text.write_text("Too short.")
            done = kvsplit("tune", "-m", program.MODEL, "-f", text)
            self.assertEqual(done.returncode, 1)
            self.assertIn("tokens", done.stderr)


class Info(unittest.TestCase):
    def test_text(self):
        done = kvsplit("info", program.MODEL)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ["llama", "49,152", "chatml", "k8v4", "general.architecture", "Q4_1"]:
            self.assertIn(word, done.stdout)
        self.assertIn("blk.0.attn_k.weight", kvsplit("info", program.MODEL, "--tensors").stdout)

    def test_json(self):
        report = json.loads(kvsplit("info", program.MODEL, "--json").stdout)
        self.assertEqual(report["model"]["head_dim"], 64)
        self.assertEqual(len(report["tensors"]), 272)
        cache = {row["kv"]: row for row in report["cache"]}
        self.assertEqual(len(cache), 49)
        self.assertEqual(cache["f16"]["saved_pct"], 0)
        self.assertGreater(cache["k8v4"]["saved_pct"], 59)

    def test_truncated_model(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "half.gguf"
            with open(program.MODEL, "rb") as file:
                path.write_bytes(file.read(20_000_000))
            done = kvsplit("run", "-m", path, "-p", "hi")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"half\.gguf @0x[0-9a-f]+: ")


if __name__ == "__main__":
    program.main(needs_model=True)
