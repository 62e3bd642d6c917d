"""tables.py CSV JSONL: what pandas and jq make of a run's export, as one JSON document."""

import json
import sys

import jq
import pandas

JQ = """{
    columns: (.[0] | keys_unsorted),
    rows: length,
    duration_ns: (map(.duration_ns) | add),
    outcomes: (group_by(.outcome) | map({key: .[0].outcome, value: length}) | from_entries)
}"""


def of_pandas(table):
    # 64 bits in hexadecimal are a string for pandas, and all else but two columns is an integer.
    text = [name for name, kind in table.dtypes.items() if kind != "int64"]
    assert text == ["kind", "outcome", "word"], table.dtypes
    assert (table.begin_ns + table.duration_ns == table.end_ns).all()
    assert table.begin_ns.is_monotonic_increasing and table.begin_ns[0] == 0
    assert not table.isna().any(axis=None)
    return {
        "columns": list(table.columns),
        "rows": len(table),
        "duration_ns": int(table.duration_ns.sum()),
        "outcomes": {name: int(n) for name, n in table.outcome.value_counts().items()},
    }


csv, jsonl = sys.argv[1:]
with open(jsonl) as lines:
    of_jq = jq.compile(JQ).input_text(lines.read(), slurp=True).first()
documents = {
    "pandas, CSV": of_pandas(pandas.read_csv(csv)),
    "pandas, JSON Lines": of_pandas(pandas.read_json(jsonl, lines=True)),
    "jq": of_jq,
}
print(json.dumps(documents))
