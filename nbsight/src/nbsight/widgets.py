"""Widgets compared by what they show, as their stored state says it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import names
from .markup import markup_differences
from .texts import Tolerance, changed
from .tree import Found, plain_leaf, tree_differences

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
REFERENCE = "IPY_MODEL_"  # begins what stands for another widget
# Of a widget, what says nothing about what it shows.
ASIDE = {"_view_count", "_view_module_version", "_model_module_version"}
ASIDE |= {"msg_id", "_anywidget_id"}


class States(NamedTuple):
    """Of two runs, the state of each widget under its model's id.

    ``cover`` masks a part of what they show. ``seen`` are the pairs of ids
    that are compared already: where widgets show each other, that ends it.
    """

    stored: dict[str, Any]
    now: dict[str, Any]
    cover: Callable[[Any], Any] | None = None
    seen: set[tuple[str, str]] | None = None


# Compares outputs with such tolerance and states.
Outputs = Callable[[list[Any], list[Any], Tolerance, States], list[str]]


def states(
    stored: Any, now: Any, cover: Callable[[Any], Any] | None = None
) -> States:
    """Return the states that two notebooks' metadata hold."""
    return States(_states(stored), _states(now), cover)


def _states(metadata: Any) -> dict[str, Any]:
    found = metadata
    for key in ("widgets", STATE, "state"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def view_differences(
    stored: Any, now: Any, both: States, tolerance: Tolerance, outputs: Outputs
) -> list[str]:
    """Compare what two widget views show.

    What is stored without a state is compared by its text only, unless it
    shows outputs, which a reader would miss.
    """
    old, new = _id(stored), _id(now)
    if old in both.stored and new in both.now:
        comparing = _Comparing(both, tolerance, outputs)
        return comparing.models(old, new, "widget")
    if old in both.stored:
        return ["the widget's state is stored, now missing"]
    if _shows_outputs(new, both.now):
        return [
            "the widget's state is not stored, so what its Output shows "
            "cannot be compared"
        ]
    return []


def _id(view: Any) -> str:
    model = view.get("model_id") if isinstance(view, dict) else None
    return model if isinstance(model, str) else ""


def _shows_outputs(model: str, known: dict[str, Any]) -> bool:
    """Tell whether a widget or one inside it is an Output with something."""
    seen, waiting = set[str](), [model]
    while waiting:
        model = waiting.pop()
        if model in seen or model not in known:
            continue
        seen.add(model)
        state = _state(known[model])
        if state.get("_model_name") == "OutputModel" and state.get("outputs"):
            return True
        waiting += _references(state)
    return False


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(REFERENCE)


def _model(reference: str) -> str:
    return reference.removeprefix(REFERENCE)


def _references(value: Any) -> list[str]:
    """Return the ids of all widgets that a state refers to."""
    if _is_reference(value):
        return [_model(value)]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [model for item in value for model in _references(item)]
    return []


def _state(model: Any) -> dict[str, Any]:
    """Return a model's state, what it keeps in buffers in its place."""
    state = model.get("state") if isinstance(model, dict) else None
    if not isinstance(state, dict):
        return {}
    state = {key: state[key] for key in state if key not in ASIDE}
    for buffer in model.get("buffers") or []:
        state = _filled(state, buffer["path"], buffer["data"])
    return state


def _filled(value: Any, path: list[Any], data: Any) -> Any:
    """Return a copy of a value with data at a path in it."""
    if not path:
        return data
    copy = value.copy() if isinstance(value, dict | list) else {}
    inside = copy.get(path[0]) if isinstance(copy, dict) else copy[path[0]]
    copy[path[0]] = _filled(inside, path[1:], data)
    return copy


class _Comparing:
    """One comparison of two trees of widgets."""

    def __init__(
        self, both: States, tolerance: Tolerance, outputs: Outputs
    ) -> None:
        self.seen = set() if both.seen is None else both.seen
        self.both = both._replace(seen=self.seen)
        self.tolerance, self.outputs = tolerance, outputs

    def models(self, old: str, new: str, place: str) -> list[str]:
        """Compare two widgets; pairs that were met before are not again."""
        if (old, new) in self.seen:
            return []
        self.seen.add((old, new))
        pair = self.both.stored.get(old), self.both.now.get(new)
        stored, now = (_state(model) for model in pair)
        if not stored or not now:
            texts = ["a state" if each else "none" for each in (stored, now)]
            return [changed(place, *texts)] if texts[0] != texts[1] else []
        now = names.same_names_in_json(stored, now)
        return tree_differences(stored, now, place, self.leaf)

    def leaf(self, old: Any, new: Any, place: str) -> Found:
        """Compare a part of a state, a widget or a list of outputs."""
        if _is_reference(old) and _is_reference(new):
            return self.models(_model(old), _model(new), place)
        lists = isinstance(old, list) and isinstance(new, list)
        shown = lists and place.endswith(".outputs")
        if self.both.cover and (shown or isinstance(old, str)):
            old, new = self.both.cover(old), self.both.cover(new)
        if shown:
            lines = self.outputs(old, new, self.tolerance, self.both)
            return [f"{place}: {line}" for line in lines]
        texts = isinstance(old, str) and isinstance(new, str)
        if texts and place.endswith(".value") and old.startswith("<"):
            return markup_differences(old, new, self.tolerance, place)
        return plain_leaf(self.tolerance, old, new, place)
