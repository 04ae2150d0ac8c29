"""Conversations on a terminal: long lines, pasted text, keys, history, signals."""
import os
import pathlib
import re
import signal
import stat
import subprocess
import tempfile
import unittest

import program
from terminal import Terminal
from tiny_models import random_model

PROMPT = rb"(?:^|\n)> "
LEFT, RIGHT, UP, BACKSPACE = b"\x1b[D", b"\x1b[C", b"\x1b[A", b"\x7f"
HOME, END, INTERRUPT, STOP, LEAVE = b"\x01", b"\x05", b"\x03", b"\x1a", b"\x04"


def pasted(text):
    return b"\x1b[200~" + text.replace(b"\n", b"\r") + b"\x1b[201~"


class Chat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, "random.gguf")
        random_model(cls.model, context=16384)
        with Terminal("chat", "-m", cls.model, "-t", "1", "-n", "1", XDG_STATE_HOME=cls.folder.name) as chat:
            chat.expect(PROMPT)
            cls.edits = b"libedit" in subprocess.run(
                ["ldd", program.BINARY], capture_output=True, check=False).stdout

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.state = tempfile.mkdtemp(dir=self.folder.name)
        self.history_file = pathlib.Path(self.state, "kvsplit", "history")

    def chat(self, *arguments, **environment):
        return Terminal("chat", "-m", self.model, "-t", "1", "-n", "1", *arguments, XDG_STATE_HOME=self.state, **environment)

    def history(self):
        return self.history_file.read_bytes().splitlines() if self.history_file.exists() else []

    def need_editor(self):
        if not self.edits:
            self.skipTest("built without libedit")

    def answer(self, chat, keys):
        """Types a line, and waits for the prompt after its answer."""
        chat.expect(PROMPT)
        chat.send(keys)
        chat.expect(b"\n")

    def typed(self, *keys):
        """What the program takes for lines; the last keys must end the chat."""
        with self.chat() as chat:
            for line in keys:
                self.answer(chat, line)
            chat.expect(PROMPT)
            chat.send(LEAVE)
            self.assertEqual(chat.wait(), 0, chat.seen)
        return self.history()

    def prompt_tokens(self, chat):
        chat.expect(PROMPT)
        chat.send(b"/stats\n")
        return int(re.search(rb"prompt: ([\d,]+) tokens", chat.expect(b"answer:"))[1].replace(b",", b""))

    def test_a_long_line_is_one_message(self):
        for term in ["xterm", "dumb"]:
            with self.chat(TERM=term) as chat:
                self.answer(chat, b"word " * 1204 + b"banana.\n")
                self.assertGreater(self.prompt_tokens(chat), 1204 * 7, term)  # a space has three bytes here

    def test_what_is_typed_too_early_is_kept(self):
        with self.chat() as chat:
            chat.expect(rb"2004h")  # the model is not loaded yet
            chat.send(b"word " * 1204 + b"banana.\n" + pasted(b"and\nthis") + b"\n/stats\n")
            chat.expect(rb"prompt: [\d,]+ tokens")
            chat.expect(PROMPT)
        if self.edits:
            self.assertEqual(self.history()[1:], [b"and\\nthis", b"/stats"])
            self.assertEqual(len(self.history()[0]), 6027)

    def test_a_pasted_text_is_one_message(self):
        self.need_editor()
        text = b"Please review:\ndef f(x):\n\treturn x + 1\n\nprint(f(2))\n"
        self.assertEqual(self.typed(pasted(text) + b"\n"), [b"Please review:\\ndef f(x):\\n\treturn x + 1\\n\\nprint(f(2))"])

    def test_a_pasted_text_can_be_changed_before_it_is_sent(self):
        self.need_editor()
        self.assertEqual(self.typed(pasted(b"one\ntwo\n") + LEFT * 7 + b"X" + END + b"!\n"), [b"Xone\\ntwo!"])
        self.assertEqual(self.typed(pasted(b"a\x1b[31mb\x07\x00c") + b"\n")[-1], b"a[31mbc")

    def test_keys(self):
        self.need_editor()
        lines = self.typed("caf\u00e9 \u65e5\u672c".encode() + LEFT * 3 + BACKSPACE * 2 + "f\u00e8".encode() + END + BACKSPACE + b"\n",
                           b"bc" + HOME + b"a" + RIGHT * 2 + b"d" + b"\x1b[H" + b"_" + b"\n",
                           b"a\x1b[5~\x1b[1;5Db\n")
        self.assertEqual(lines[:2], ["caf\u00e8 \u65e5".encode(), b"_abcd"])
        self.assertNotIn(b"\x1b", b"".join(lines))

    def test_bytes_that_are_not_utf8_pass(self):
        self.need_editor()
        self.assertEqual(self.typed(b"a\xff\xe6\x97b \xe6\x97\xa5\n"), [b"a\xff\xe6\x97b \xe6\x97\xa5"])

    def test_history(self):
        self.need_editor()
        self.typed(b"first\n", b"sec\\ond\n", pasted(b"third\nline") + b"\n", UP + UP + UP + b"!\n")
        self.assertEqual(self.history(), [b"first", b"sec\\\\ond", b"third\\nline", b"first!"])
        self.assertEqual(self.typed(UP * 3 + b"?\n")[-1], b"sec\\\\ond?")
        self.assertEqual(stat.S_IMODE(self.history_file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.history_file.parent.stat().st_mode), 0o700)

    def test_history_is_bounded(self):
        self.need_editor()
        self.history_file.parent.mkdir()
        self.history_file.write_bytes(b"".join(b"line %d\n" % i for i in range(50000)) + b"x" * 2000000 + b"\nlast\n")
        self.assertEqual(self.typed(UP + b"!\n")[-2:], [b"last", b"last!"])
        self.assertLess(self.history_file.stat().st_size, 1 << 20)

    def test_no_history_file(self):
        self.need_editor()
        with self.chat("--no-history") as chat:
            self.answer(chat, b"secret\n")
            chat.expect(PROMPT)
            chat.send(UP)
            chat.expect(b"secret")
        self.assertEqual(os.listdir(self.state), [])
        os.mkdir(self.history_file.parent)
        os.mkdir(self.history_file)  # cannot be written
        with self.chat() as chat:
            self.answer(chat, b"hello\n")
            chat.expect(PROMPT)

    def test_slashes(self):
        with self.chat() as chat:
            self.answer(chat, b"/usr/bin is what?\n")
            self.assertGreater(self.prompt_tokens(chat), 16)
            chat.expect(PROMPT)
            chat.send(b"/stat\n")
            self.assertIn(b"//stat sends it", chat.expect(rb"not a command; /help lists them\. //stat sends it"))
            chat.expect(PROMPT)
            chat.send(b"//kv\n")
            chat.expect(PROMPT)
            chat.send(b"/kv\n")
            chat.expect(b"cache k5v4: ")
        if self.edits:
            self.assertEqual(self.history(), [b"/usr/bin is what?", b"/stats", b"/stat", b"//kv", b"/kv"])

    def test_control_c(self):
        with self.chat() as chat:
            chat.expect(PROMPT)
            chat.send(b"not this" + INTERRUPT)
            chat.expect(rb"\^C")
            chat.expect(PROMPT)
            chat.send(b"unfinished \\\n")
            chat.expect(rb"\n\. ")
            chat.send(INTERRUPT)
            chat.expect(PROMPT)
            chat.send(b"hello\n")
            self.assertLess(self.prompt_tokens(chat), 40)
            chat.expect(PROMPT)
            chat.send(INTERRUPT)
            self.assertEqual(chat.wait(), 0, chat.seen)
            self.assertIn(b"cache ", chat.seen)

    def test_the_terminal_is_left_as_it_was(self):
        for term in ["xterm", "dumb"]:
            for end in [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, None]:
                with self.subTest(term=term, end=end), self.chat(TERM=term) as chat:
                    before = chat.mode()
                    chat.expect(PROMPT)
                    chat.send(b"half a line")
                    chat.expect(b"line")
                    self.assertNotEqual(chat.mode()[3], before[3])
                    if end:
                        os.kill(chat.pid, end)
                    else:
                        chat.send(b"\n")
                        chat.expect(PROMPT)
                        chat.send(LEAVE)
                    chat.wait()
                    self.assertEqual(chat.status, -end if end else 0)
                    self.assertEqual(chat.mode()[3], before[3])
                    if term == "xterm":
                        self.assertIn(b"\x1b[?2004l", chat.seen)

    def test_stop_and_new_size(self):
        self.need_editor()
        with self.chat() as chat:
            chat.expect(PROMPT)
            chat.send(b"one ")
            chat.resize(10, 30)
            chat.expect(b"one ")
            chat.send(b"two " + STOP)
            chat.expect(b"> one two ")
            os.kill(chat.pid, signal.SIGSTOP)
            os.kill(chat.pid, signal.SIGCONT)
            chat.expect(b"> one two ")
            chat.send(b"three\n")
            chat.expect(PROMPT)
        self.assertEqual(self.history(), [b"one two three"])

    def test_a_dumb_terminal_gets_no_escape_sequences(self):
        with self.chat(TERM="dumb") as chat:
            self.answer(chat, "caf\u00e9".encode() + BACKSPACE * 2 + b"fe" + b"\n")
            chat.expect(PROMPT)
            chat.send(LEAVE)
            shown = chat.seen
            self.assertEqual(chat.wait(), 0)
            self.assertNotIn(b"\x1b", shown + chat.seen)

    def test_answers_and_notes_may_go_elsewhere(self):
        answers = os.path.join(self.state, "answers")
        with Terminal("chat", "-m", self.model, "-t", "1", "-n", "1", stdout=answers, XDG_STATE_HOME=self.state) as chat:
            self.answer(chat, b"hello\n")
            chat.expect(PROMPT)
            chat.send(LEAVE)
            self.assertEqual(chat.wait(), 0)
        self.assertNotIn(b"hello", pathlib.Path(answers).read_bytes())
        notes = os.path.join(self.state, "notes")
        with Terminal("chat", "-m", self.model, "-t", "1", "-n", "1", stderr=notes, XDG_STATE_HOME=self.state) as chat:
            self.answer(chat, b"hello\n")
            chat.expect(PROMPT)
            chat.send(LEAVE)
            self.assertEqual(chat.wait(), 0)
        said = pathlib.Path(notes).read_bytes()
        self.assertIn(b"cache k5v4", said)
        self.assertNotIn(b"\x1b", said)


if __name__ == "__main__":
    program.main(needs_model=False)
