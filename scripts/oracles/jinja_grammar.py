"""Random small templates: every part of the language that chat templates may use, in odd combinations."""

TEXTS = [
    "", "a", "abc", "Hello World", " pad ", "a,b,,c", "x\ny\n\nz", "ünï çödé", "ß ǆ Σς", "日本 語", "🚀 x", "it's",
    'q"q', "<b>&</b>", "\\n\\", "%s %d", "{} {x}", "12", " 3.5 ", "0x1f", "-7", "1_0", "TRUE", "tab\tx",
    "\u00a0\u2028", "-", "a-b (c) [d]", "\x00\x1f", "aXbXc", "nan", "İi", "ÀÉ", "don't stop", "\u0301\u200b"
]
NUMBERS = [
    "0", "1", "2", "3", "-1", "7", "10", "100", "0.5", "1.0", "2.5", "-3.75", "1e3", "1e16", "1e-5", "12345", "0.1",
    "3.0", "1_000", "0x1F", "0b101", "0o17"
]
NAMES = ["a", "b", "s", "t", "n", "f", "l", "m", "d", "e", "u", "flag", "nested", "x", "y", "z", "messages", "ns"]
TEXT_FILTERS = [
    "upper", "lower", "title", "capitalize", "trim", "string", "safe", "escape", "e", "forceescape", "length",
    "count", "wordcount", "list", "first", "last", "reverse", "int", "float", "urlencode", "tojson", "trim('ab')",
    "replace('a', 'b')", "replace('', '-')", "replace('a', '<', 1)", "center(9)", "indent", "indent(2, true)",
    "indent('> ', blank=true)", "indent(width=3, first=true, blank=true)", "truncate(5)", "truncate(6, true)",
    "truncate(4, true, '')", "truncate(9, false, '..', 0)", "join('-')", "format(1, 'x')", "format(x=1)",
    "default('q')", "d('q', true)", "sort|join", "unique|join('|')", "map('upper')|join",
    "select('in', 'abc')|list", "int(5)", "int(0, 16)", "int(base=2)", "float(1.5)", "attr('upper')",
    "batch(2)|list", "slice(3)|list", "min", "max", "filesizeformat"
]
LIST_FILTERS = [
    "length", "first", "last", "list", "reverse|list", "sort", "sort(reverse=true)", "sort(case_sensitive=true)",
    "sort(attribute='k')", "sort(attribute='k,v')", "unique|list", "join", "join(', ')", "join(',', attribute='k')",
    "join(attribute=0)", "map('string')|list", "map('upper')|join(',')", "map(attribute='k')|list",
    "map('tojson')|list", "map(attribute='k', default='none')|list", "map(attribute='v.0')|list",
    "map('default', 'x')|list", "select|list", "select('string')|list", "select('odd')|list",
    "select('gt', 1)|list", "reject|list", "reject('none')|list", "reject('equalto', 'a')|list",
    "selectattr('k')|list", "selectattr('k', 'equalto', 'b')|list", "selectattr('v', 'defined')|list",
    "rejectattr('k', 'none')|list", "rejectattr('k', 'in', ['a', 'b'])|list", "groupby('k')|list",
    "groupby('k', default='z')|list", "groupby('k', case_sensitive=true)|map(attribute='grouper')|list", "sum",
    "sum(start=10)", "sum(attribute='n')", "min", "max", "max(attribute='k')", "min(case_sensitive=true)",
    "batch(2)|list", "batch(3, 'f')|list", "slice(2)|list", "slice(3, 'f')|list", "tojson", "tojson(indent=2)",
    "tojson(indent=0)", "string", "default([])", "tojson(sort_keys=true)", "tojson(separators=(',', ':'))",
    "items|list", "map('length')|list"
]
DICT_FILTERS = [
    "length", "list", "items|list", "dictsort", "dictsort(reverse=true)", "dictsort(by='value')", "dictsort(true)",
    "tojson", "tojson(indent=4)", "tojson(sort_keys=true, indent='->')", "tojson(true)",
    "tojson(ensure_ascii=true, indent=1)", "string", "first", "last", "join(',')", "xmlattr", "xmlattr(false)",
    "urlencode", "map('upper')|list", "safe", "sort", "reverse|list", "d(1)", "tojson|safe"
]
NUMBER_FILTERS = [
    "abs", "int", "float", "round", "round(1)", "round(2, 'floor')", "round(0, 'ceil')", "round(-1)", "string",
    "tojson", "filesizeformat", "filesizeformat(true)", "default(3)", "e", "format", "upper", "d(0, true)",
    "center(6)", "urlencode", "safe"
]
TEXT_METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "swapcase()", "strip()", "lstrip()", "rstrip()", "strip('a ')",
    "lstrip('H')", "rstrip('dc')", "split()", "split(',')", "split('X', 1)", "split(maxsplit=1)", "rsplit(',', 1)",
    "rsplit()", "rsplit(None, 1)", "splitlines()", "splitlines(true)", "startswith('a')", "startswith(('x', 'H'))",
    "endswith('c')", "endswith('d', 0, 3)", "startswith('b', 1)", "replace('a', 'é')", "replace('b', '', 1)",
    "find('b')", "rfind('b')", "find('z')", "index('b')", "count('a')", "count('')", "find('o', 5)",
    "rfind('o', 0, -5)", "join(['x', 'y'])", "join('abc')", "isalpha()", "isdigit()", "isalnum()", "isspace()",
    "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()", "isascii()", "isprintable()",
    "isidentifier()", "partition(',')", "rpartition(',')", "partition('b')", "removeprefix('a')",
    "removesuffix('c')", "ljust(6)", "rjust(6, '*')", "center(7, '-')", "center(8)", "zfill(5)", "expandtabs()",
    "expandtabs(4)", "format(1, x=2)", "format('p', 'q')", "format()", "__class__", "nothing", "nothing()",
    "_private"
]
LIST_METHODS = [
    "count(1)", "index('a')", "index(2)", "copy()", "append(1)", "pop()", "foo", "index(1, 1)", "sort()", "__len__"
]
DICT_METHODS = [
    "get('k')", "get('q')", "get('q', 5)", "items()", "keys()", "values()", "items()|list", "keys()|list",
    "values()|list", "k", "v", "copy()", "pop('k')", "update({})", "get", "items", "k.l", "setdefault('a', 1)",
    "get()"
]
TESTS = [
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping",
    "iterable", "sequence", "callable", "odd", "even", "lower", "upper", "escaped", "divisibleby 2",
    "divisibleby(3)", "equalto 1", "eq 'a'", "ne(2)", "gt 1", "lt 2.5", "ge(1)", "le 3", "in [1, 2, 'a']",
    "in 'abc'", "sameas none", "sameas(true)", "none()", "greaterthan 0", "lessthan(5)", "== 2", "nosuchtest"
]
BINARY = ["+", "-", "*", "/", "//", "%", "*", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
FORMATS = [
    "'%s|%5s|%-5s|%.2s'", "'%d %05d %+d'", "'%x %X %#o'", "'%f %.2f %e %g'", "'%5.1f%%'", "'%r %s'", "'%(k)s'",
    "'%c'", "'%s'", "'%i'", "'%*d'", "'% d'", "'%q'", "'%'"
]
BRACES = [
    "'{}'", "'{0} {0}'", "'{:>8}|{:<4}|{:^7}'", "'{:05d}'", "'{:,}'", "'{:.2f}'", "'{:+.1e}'", "'{:x}'", "'{!r}'",
    "'{0[0]}'", "'{x}'", "'{:*^9}'", "'{:g}'", "'{:%}'", "'{:_}'", "'{{}}'", "'{:10.3}'", "'{'", "'{0.k}'",
    "'{:b}'", "'{:#x}'", "'{:{}}'", "'{:6}'"
]


class Grammar:

    def __init__(self, random):
        self.r = random
        self.depth = 0

    def pick(self, *options):
        return self.r.choice(options)

    def variables(self):
        r = self.r
        text = lambda: r.choice(TEXTS)
        small = lambda: r.choice([0, 1, -2, 3, 2.5, True, False, None, text()])
        pair = lambda: {"k": r.choice(["a", "B", "b", None, 1]), "v": [small(), text()], "n": r.randint(-3, 9)}
        return {
            "a": text(), "b": text(), "s": text(), "t": "<" + text(), "n": r.randint(-5, 20), "f":
            r.choice([0.5, -2.75, 1e15, 3.0, 0.1]), "l": [small() for _ in range(r.randint(0, 5))], "m":
            [pair() for _ in range(r.randint(0, 4))], "d": {"k": small(), "v": text(), "Z": 1, "items": 3}
            if r.random() < 0.3 else {"k": small(), "b": 2, "A": "x"}, "e": r.choice([[], {}, "", 0, None]), "flag":
            r.random() < 0.5, "nested": {"k": {"l": [1, [2, {"z": text()}]]}, "é": pair()}, "messages":
            [{"role": r.choice(["user", "assistant"]), "content": text()}
             for _ in range(r.randint(0, 3))], "words": [text() for _ in range(r.randint(0, 4))], "numbers":
            [r.choice([3, 1, 2, -1, 2.5]) for _ in range(r.randint(0, 5))]
        }

    # Expressions

    def text_literal(self):
        text = self.r.choice(TEXTS)
        quoted = text.replace("\\", "\\\\").replace("\n", self.pick("\\n", "\n")).replace("\t", "\\t")
        quoted = quoted.replace("\x00", "\\x00").replace("\x1f", "\\037").replace("\u2028", "\\u2028")
        return "'" + quoted.replace("'", "\\'") + "'" if self.r.random() < 0.7 else '"' + quoted.replace(
            '"', '\\"') + '"'

    def text(self):
        return self.pick(
            self.text_literal, self.text_literal, lambda: self.pick("a", "b", "s", "t"),
            lambda: f"({self.text()} ~ {self.any()})", lambda: f"{self.text()}.{self.r.choice(TEXT_METHODS)}",
            lambda: f"{self.text()}.{self.r.choice(TEXT_METHODS)}",
            lambda: f"({self.text()}|{self.r.choice(TEXT_FILTERS)})",
            lambda: f"({self.text()}|{self.r.choice(TEXT_FILTERS)})", lambda: f"{self.text()}[{self.slice()}]",
            lambda: f"({self.text()} + {self.text()})",
            lambda: f"({self.r.choice(FORMATS)} % {self.pick(self.any, self.number, self.text)()})",
            lambda: f"({self.r.choice(FORMATS)} % ({self.number()}, {self.any()}))",
            lambda: f"{self.r.choice(BRACES)}.format({self.pick(self.any, self.number)()}, {self.any()})",
            lambda: f"({self.text()} * {self.integer()})")()

    def integer(self):
        return self.pick("0", "1", "2", "3", "-1", "n", "7", f"({self.list()}|length)" if self.depth < 3 else "4")

    def number(self):
        return self.pick(lambda: self.r.choice(NUMBERS), lambda: self.pick("n", "f", "n"), self.integer,
                         lambda: f"({self.number()} {self.r.choice(BINARY[:6])} {self.number()})",
                         lambda: f"({self.pick('2', 'n', '2.5')} ** {self.integer()})",
                         lambda: f"({self.number()}|{self.r.choice(NUMBER_FILTERS)})",
                         lambda: f"(-{self.number()})", lambda: f"({self.list()}|length)")()

    def list(self):
        self.depth += 1
        try:
            if self.depth > 5:
                return self.pick("l", "m", "words", "numbers", "messages")
            return self.pick(
                lambda: "[" + ", ".join(self.any() for _ in range(self.r.randint(0, 3))) + "]",
                lambda: "[" + ", ".join(self.text() for _ in range(self.r.randint(0, 3))) + "]",
                lambda: "[" + ", ".join(self.number() for _ in range(self.r.randint(0, 3))) + "]",
                lambda: self.pick("l", "m", "words", "numbers", "messages"),
                lambda: self.pick("l", "m", "words", "numbers", "messages"),
                lambda: f"({self.any()}, {self.any()})", lambda: f"({self.any()},)",
                lambda: f"{self.list()}[{self.slice()}]", lambda: f"({self.list()} + {self.list()})",
                lambda: f"range({self.integer()})",
                lambda: f"range({self.integer()}, {self.integer()}, {self.pick('1', '2', '-1', '3')})",
                lambda: f"({self.pick('m', 'words', 'numbers', 'messages', 'l')}|{self.r.choice(LIST_FILTERS)})",
                lambda: f"({self.list()}|{self.r.choice(LIST_FILTERS)})",
                lambda: f"{self.list()}.{self.r.choice(LIST_METHODS)}",
                lambda: f"{self.text()}.split({self.pick('', self.text_literal())})")()
        finally:
            self.depth -= 1

    def dict(self):
        return self.pick(
            lambda: "{" + ", ".join(f"{self.key()}: {self.any()}" for _ in range(self.r.randint(0, 3))) + "}",
            lambda: self.pick("d", "nested", "nested.k", "m[0]", "messages[0]", "d"),
            lambda: self.pick("d", "nested", "nested.k", "m[0]", "messages[0]", "d"),
            lambda: f"dict(k={self.any()}, **{self.dict()})",
            lambda: f"{self.dict()}.{self.r.choice(DICT_METHODS)}",
            lambda: f"({self.dict()}|{self.r.choice(DICT_FILTERS)})", lambda: f"{self.dict()}[{self.key()}]")()

    def key(self):
        return self.pick("'k'", "'v'", "'b'", "1", "true", "none", "2.0", "'é'", "a", "(1, 2)", "'A'")

    def slice(self):
        index = lambda: self.pick("", "0", "1", "-1", "2", "-3", "n", "10", "none")
        return self.pick(lambda: f"{index()}:{index()}",
                         lambda: f"{index()}:{index()}:{self.pick('', '1', '2', '-1', '-2')}",
                         lambda: self.pick("0", "-1", "1", "5", "'k'"))()

    def condition(self):
        return self.pick(lambda: self.pick("flag", "n", "e", "l", "undefined_name", "x", "not flag", "true", "y"),
                         lambda: f"{self.any()} is {self.pick('', 'not ')}{self.r.choice(TESTS[:18])}",
                         lambda: f"{self.any()} {self.pick('==', '!=', 'and', 'or')} {self.any()}",
                         lambda: f"{self.text()} in {self.pick(self.text, self.list)()}",
                         lambda: f"{self.number()} < {self.number()}", self.any)()

    def any(self):
        self.depth += 1
        try:
            if self.depth > 4:
                return self.pick("n", "a", "l", "d", "1", "'x'", "none", "true", "undefined_name", "f", "words",
                                 "b")
            return self.pick(
                self.text, self.text, self.text, self.number, self.number, self.list, self.list, self.dict,
                lambda: self.r.choice(NAMES), lambda: self.pick("true", "false", "none", "True", "None"),
                lambda: f"({self.any()} {self.r.choice(BINARY)} {self.any()})",
                lambda: f"({self.number()} {self.r.choice(BINARY)} {self.number()})",
                lambda: f"({self.any()} if {self.condition()} else {self.any()})",
                lambda: f"({self.any()} if {self.condition()})", lambda: f"(not {self.any()})",
                lambda: f"({self.any()} is {self.pick('', 'not ')}{self.r.choice(TESTS)})",
                lambda: f"({self.number()} < {self.number()} <= {self.number()})", lambda:
                f"({self.any()}|{self.r.choice(TEXT_FILTERS + LIST_FILTERS + NUMBER_FILTERS + DICT_FILTERS)})",
                lambda: f"{self.pick('joiner', 'cycler', 'namespace', 'dict', 'range')}({self.any()})")()
        finally:
            self.depth -= 1

    # Statements

    def open(self):
        return "{%" + self.pick("", "", "-", "+") + " "

    def close(self):
        return " " + self.pick("", "", "-", "+") + "%}"

    def tag(self, inside):
        return self.open() + inside + self.close()

    def output(self):
        return "{{" + self.pick("", "-", " ") + " " + self.any() + " " + self.pick("", "-") + "}}"

    def target(self):
        return self.pick("x", "y", "z", "x", "y", "a", "ns.v", "x, y", "ns.w")

    def body(self):
        if self.depth > 5:
            return self.pick("text", "{{ x }}", " {{ y }}\n", "")
        self.depth += 1
        try:
            return "".join(self.statement() for _ in range(self.r.randint(1, 3)))
        finally:
            self.depth -= 1

    def in_loop(self):
        control = self.pick(
            "", "", "", lambda: self.tag("if " + self.pick("loop.index > 1", self.any())) + self.tag(
                self.pick("break", "continue")) + self.tag("endif"))
        loop = self.pick("", "{{ loop.index }}", "{{ loop.index0 }}{{ loop.first }}{{ loop.last }}",
                         "{{ loop.revindex }}/{{ loop.length }}", "{{ loop.previtem }}>{{ loop.nextitem }}",
                         "{{ loop.cycle('p', 'q') }}", "{{ loop.changed(x) }}", "{{ loop }}",
                         "{{ loop.depth }}{{ loop.nothing }}", "{{ loop.revindex0 }}")
        return loop + self.body() + (control if isinstance(control, str) else control()) + self.pick("", loop)

    def statement(self):
        return self.pick(
            lambda: self.pick("text", " \n ", "\n", "  indented", "{% raw %}{{ x }}{% endraw %}", "{# note #}",
                              "  {#- note -#} \n", "\n\n  "),
            self.output,
            self.output,
            self.output,
            lambda: self.tag(f"set {self.target()} = {self.any()}"),
            lambda: self.tag("set ns = namespace(v=1, w='t')"),
            lambda: self.tag(f"set {self.pick('x', 'y', 'z')}{self.pick('', '|upper', '|trim|title')}") + self.body(
            ) + self.tag("endset"),
            lambda: self.tag(f"if {self.condition()}") + self.body() + self.pick(
                "",
                self.tag("else") + self.body(),
                self.tag(f"elif {self.condition()}") + self.body() + self.tag("else") + self.body()) + self.tag(
                    "endif"),
            lambda: self.
            tag(f"for x in {self.pick(self.list, self.list, self.list, self.text)()}{self.pick('', '', ' if x', ' if x is string', ' if loop is defined')}"
                ) + self.in_loop() + self.pick("",
                                               self.tag("else") + self.body()) + self.tag("endfor"),
            lambda: self.tag(
                f"for x, y in {self.pick('d.items()', 'd|dictsort', 'd|items', self.any())}{self.pick('', ' if y')}"
            ) + self.in_loop() + self.tag("endfor"),
            lambda: self.tag(f"for x in {self.list()} recursive") + self.body(
            ) + "{{ loop(x) if x is iterable and x is not string and loop.depth < 3 }}" + self.tag("endfor"),
            lambda: self.tag(f"macro mac(x, y={self.any()})") + self.body() + self.pick(
                "", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller }}", "{{ caller(1) }}") + self.tag(
                    "endmacro") + self.call(),
            self.call,
            lambda: self.tag(f"call{self.pick('', '(x)')} mac({self.any()})") + self.body() + self.tag("endcall"),
            lambda: self.tag(
                f"filter {self.pick('upper', 'trim', 'replace(' + self.text_literal() + ', x)', 'indent')}") + self.
            body() + self.tag("endfilter"),
            lambda: self.tag(f"with x = {self.any()}, z = x") + self.body() + self.tag("endwith"),
            lambda: self.tag("generation") + self.body() + self.tag("endgeneration"),
            lambda: self.tag(f"if {self.condition()}") + "{{ raise_exception('no: ' ~ x) }}" + self.tag("endif"),
        )()

    def call(self):
        return "{{ mac(" + self.pick("", self.any(), f"{self.any()}, {self.any()}", f"y={self.any()}", self.any(),
                                     f"x={self.text()}", f"1, 2, {self.any()}", f"1, q={self.any()}",
                                     f"*{self.list()}[:2]", f"**{self.dict()}") + ") }}"

    def template(self):
        self.depth = self.pick(0, 1, 2, 3)
        start = "{% set ns = namespace(v=1, w='t') %}{% macro mac(x='d', y=none) %}[{{ x }}{{ y }}{{ caller() if caller is defined }}]{% endmacro %}"
        return (start if self.r.random() < 0.9 else "") + "".join(
            self.statement() for _ in range(self.r.randint(1, 3))) + self.pick("", "\n", "\n\n")
