"""Prints the demo's answers and its table: demo_table.py QUESTION FOLDER, with the JSON of each command in FOLDER."""

import json
import pathlib
import sys

SPECS = ("f16", "k8v4")


def load(folder, name):
    return json.loads((pathlib.Path(folder) / f"{name}.json").read_text())


def size(n):
    return f"{n / 1e6:,.2f} MB"


def table(rows):
    """Rows of texts, the first column to the left, the others to the right. An empty row is a line."""
    widths = [max(len(row[i]) for row in rows if row) for i in range(len(SPECS) + 1)]
    for row in rows:
        if row:
            cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
            print("  " + "   ".join(cells).rstrip())
        else:
            print("  " + "-" * (sum(widths) + 3 * len(SPECS)))


def bytes_rows(title, kv_bytes):
    """kv_bytes: one {"key", "value", "exact", "total", "f16_total"} for each of SPECS."""
    def row(label, field):
        return [label, *(size(b[field]) for b in kv_bytes)]
    saved = [f"{100 * (1 - b['total'] / b['f16_total']):.1f} %" for b in kv_bytes]
    return [[], [title, "", ""], row("  keys", "key"), row("  values", "value"),
            row("  exact (open pages, sinks)", "exact"), row("  total", "total"), ["  saved against f16", *saved]]


def main():
    question, folder = sys.argv[1:]
    runs = [load(folder, f"run_{kv}") for kv in SPECS]
    info = load(folder, "info")
    perplexity = load(folder, "perplexity")
    scores = {result["kv"]: result for result in perplexity["results"]}
    full = {plan["kv"]: plan["kv_bytes"] for plan in info["cache"]}

    print(f"\n{question}\n")
    for kv, run in zip(SPECS, runs):
        print(f"  {kv:5} {' '.join(run['text'].split())}")
    print()

    used = runs[0]["prompt_tokens"] + runs[0]["tokens"]
    rows = [["", *SPECS]]
    rows += bytes_rows(f"KV cache, {used:,} tokens", [run["kv_bytes"] for run in runs])
    rows += bytes_rows(f"KV cache, {info['model']['context']:,} tokens (all the model can)", [full[kv] for kv in SPECS])
    change = scores["k8v4"]["vs_f16"]
    rows += [[], [f"perplexity, {perplexity['tokens_scored']:,} tokens scored", *(f"{scores[kv]['ppl']:.3f}" for kv in SPECS)],
             ["  change", "", f"{change['ppl_change_pct']:+.2f} +- {change['ppl_change_stderr_pct']:.2f} %"]]
    rows += [[], ["tokens/s, prompt", *(f"{run['prefill_tokens_per_s']:,.0f}" for run in runs)],
             ["tokens/s, answer", *(f"{run['decode_tokens_per_s']:,.0f}" for run in runs)]]
    table(rows)
    saved = 1 - full["k8v4"]["total"] / full["k8v4"]["f16_total"]
    print(f"\nAt {info['model']['context']:,} tokens k8v4 takes {100 * saved:.0f} % less memory than f16. Perplexity, how well the "
          f"model predicts the text,\nchanges by {change['ppl_change_pct']:+.2f} %, give or take {change['ppl_change_stderr_pct']:.2f} %.")


if __name__ == "__main__":
    main()
