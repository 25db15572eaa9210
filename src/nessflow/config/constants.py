"""Formulas without names, such as ``2 * pi``, wherever a study file takes a number."""

from itertools import pairwise

from pydantic import TypeAdapter

from nessflow.config.axes import axes_of
from nessflow.config.document import Document, assigned, split
from nessflow.config.study import template_of
from nessflow.config.study_file import KEYS, StudyFile
from nessflow.registry import Kind
from nessflow.validation import Key, takes_number
from nessflow.written.expressions import constant, is_expression, texts_in


def with_constants(
    document: Document, kind: Kind | None, figure_specs: TypeAdapter | None = None
) -> Document:
    """Return a study's document with numbers where such formulas stand for them.

    Parameters
    ----------
    document : Document
        A study, its overrides included.
    kind : Kind or None
        Its kind, if there is one of that name.
    figure_specs : TypeAdapter, optional
        What a figure is.
    """
    # Figures name values of the axes, which are numbers by then.
    for key, text in sorted(texts_in(document.data), key=lambda found: found[0][0] == "figures"):
        number = constant(text)
        if isinstance(number, float) and _is_number(document, kind, figure_specs, key):
            document = document.replaced(key, number, document.place(key))
    return document


def _is_number(
    document: Document, kind: Kind | None, figure_specs: TypeAdapter | None, key: Key
) -> bool:
    """Tell whether the value at ``key`` is to be a number that is known with the file alone."""
    if key[0] == "figures" and figure_specs is not None:
        # What is selected are values of an axis, or names, which may look like formulas.
        axis = next((name for sel, name in pairwise(key) if sel == "sel"), None)
        axes = axes_of(document)[0] if axis is not None else ()
        or_text = any(each.name == axis and each.cases is None for each in axes)
        return takes_number(figure_specs, key[2:], document.get(key[:2]), or_text=or_text)
    if key[0] in KEYS and key[3:4] != ("cases",):
        return takes_number(StudyFile, key, document.data)
    if kind is None or is_expression(document.get(key)):
        return False
    data = template_of(document)
    if key[0] in KEYS:
        entry = split(str(key[5])) if len(key) > 5 else ()
        try:
            data = assigned(data, entry, document.get(key[:6]))
        except LookupError:
            return False
        key = *entry, *key[6:]
    return takes_number(kind.Parameters, key, data)
