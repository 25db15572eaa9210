"""Study files as mistakes make them: keys, values and text of sound studies changed at random."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path

from nessflow.config.document import Place, parse

_NUMBERS = [0, -1, 1, 2.5, -0.0, 1e-320, 1e300, -1e299, 1e15, 10**30, 10**400, 7, 1e6, 99999999]
_WORDS = ["", "x", " ", "None", "nan", "inf", "1e-4", "yes", "0x10", "1+2i", "1+2k", "[1]", "~"]
_WORDS += [
    "é",
    "e\u0301",
    "名前",
    "\u202e",
    "\x00",
    "\x07",
    "\ud800",
    "a\nb",
    "\t",
    "$x^{$",
    "../x",
]
_WORDS += [
    "a" * 5000,
    "'; rm -rf x",
    "{{x}}",
    "%s",
    "\\",
    "chain",
    "matrix",
    "sites",
    "#",
    "!!int 1",
]
_FORMULAS = ["$", "$V", "$(", "$()", "$(1/0)", "$((-1)**0.5)", "$(exp(1000))", "$(1e308*10)"]
_FORMULAS += ["$(log(0))", "$(2**10000)", "$(9**9**9)", "$(sin)", "$(pi)", "$(__import__('os'))"]
_FORMULAS += ["$(1 if 1 else 2)", "$([1])", "$('a')", "$(1,2)", "$(a.b)", "$(-" + "-" * 300 + "1)"]
_FORMULAS += ["$(exp((pi-9)**0.5))", "$(abs(-1)**-0.5)", "$(0**-1)", "$(1e400)", "$(" + "(" * 200]
_TREES = [None, True, False, [], {}, [[]], [None], [1, 2], ["a", 1], {"a": 1}, {"kind": "x"}]
_TREES += [{"kind": []}, {"inner": [1, 1]}, {"outer": [1], "inner": [1]}, {"cases": {}}, [1] * 300]
_TREES += [{"linspace": [0, 1, 10**9]}, {"arange": [0, 1, 1e-300]}, {"geomspace": [0, 1, 3]}]
_TREES += [{"linspace": [0, 1]}, {"cases": {"a": {"system": 1}}}, {"cases": {"a": 1, "A": {}}}]
_VALUES = [*_NUMBERS, *_WORDS, *_FORMULAS, *_TREES]
_TEXTS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    ",",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!python/object:os.x ",
    "|",
]
_TEXTS += [
    ">",
    "'",
    '"',
    "%",
    "@",
    "`",
    "\t",
    "\n",
    "\n\n  ",
    "\x00",
    "\ufeff",
    "? ",
    "---\n",
    "...\n",
]
_TEXTS += [".nan", ".inf", "-.inf", "~", "1e999", "é", "\u2028", "\u0085", "\ud7ff", "{a: &x [*x]}"]


def mutations(paths: list[Path], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield what was done to which study, and the changed file.

    Parameters
    ----------
    paths : list of Path
        Sound studies, taken in turn.
    count : int
        How many to make.
    seed : int
        Of the random choices: the same seed, the same files.
    """
    choice = random.Random(seed)
    for number in range(count):
        path = paths[number % len(paths)]
        text = path.read_text()
        if number % 4 == 3:
            what, changed = _mistyped(text, choice)
        else:
            what, changed = _restructured(text, choice)
        yield f"{path.stem}: {what}", changed.encode("utf-8", "surrogatepass")


def _mistyped(text: str, choice: random.Random) -> tuple[str, str]:
    """Change the text itself."""
    position, removed = choice.randrange(len(text)), choice.choice([0, 0, 1, 5, 40])
    added = choice.choice([*_TEXTS, "", text[position : position + 60]])
    what = f"{added[:20]!r} for {removed} characters at {position}"
    return what, text[:position] + added + text[position + removed :]


def _restructured(text: str, choice: random.Random) -> tuple[str, str]:
    """Change keys and values, one or two of them."""
    tree = parse(text, Place("x")).data
    done = []
    for _ in range(choice.choice([1, 1, 1, 2])):
        keys = list(_keys(tree))
        if keys:
            done.append(_changed(tree, choice.choice(keys), keys, choice))
    return "; ".join(done), json.dumps(tree, indent=1)


def _keys(tree: object, key: tuple = ()) -> Iterator[tuple]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for part, value in list(items):
        yield (*key, part)
        if isinstance(value, dict | list):
            yield from _keys(value, (*key, part))


def _changed(tree: dict, key: tuple, keys: list[tuple], choice: random.Random) -> str:
    """Change the entry ``key``; return what was done."""
    *above, last = key
    parent = _at(tree, above)
    action = choice.choice(
        ["set", "set", "set", "delete", "rename", "copy", "wrap", "scale", "deep"]
    )
    value = parent[last]
    if action == "delete":
        del parent[last]
    elif action == "rename" and isinstance(parent, dict):
        name = choice.choice(
            [f"{last}x", last[1:] or "q", last.upper(), "é", "~", f"{last}.a", "0"]
        )
        parent[name] = parent.pop(last)
        action = f"rename to {name}"
    elif action == "copy":
        other = choice.choice(keys)
        parent[last] = copy.deepcopy(_at(tree, other))
        action = f"copy {'.'.join(map(str, other))}"
    elif action == "wrap":
        parent[last] = choice.choice([[value], {"kind": value}, str(value), {"a": value}])
    elif action == "scale" and isinstance(value, int | float) and abs(value) < 2**1024:
        parent[last] = value * choice.choice([-1, 1e3, 1e9, 1e300, 1e-300, 0.5])
    elif action == "deep":
        for _ in range(choice.choice([10, 60])):
            value = [value] if choice.random() < 0.5 else {"a": value}
        parent[last] = value
    else:
        parent[last] = copy.deepcopy(choice.choice(_VALUES))
        action = f"set {str(parent[last])[:40]!r}"
    return f"{action} {'.'.join(map(str, key))}"


def _at(tree: object, key: tuple) -> object:
    for part in key:
        tree = tree[part]
    return tree
