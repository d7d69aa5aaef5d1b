"""The live figure of attention pooling, for JupyterLab; needs anywidget."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from anyarray import Numbers, as_array, as_column, require

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("this needs anywidget: pip install anywidget") from error

# What a page begins with: JSON in one text, as lists would take many lines.
MIME = "application/vnd.d2lmini.live+json"
KERNELS = {
    "gaussian": lambda u: np.exp((np.min(u**2, -1, keepdims=True) - u**2) / 2),
    "boxcar": lambda u: (np.abs(u) <= 1).astype(float),
    "triangular": lambda u: np.maximum(0, 1 - np.abs(u)),
    "epanechnikov": lambda u: np.maximum(0, 1 - u**2),
}
PARTNERS = {"x_train": "y_train", "y_train": "x_train", "truth": "x_test"}


class BadValue(traitlets.TraitError, ValueError):
    """A ValueError after which traitlets put the old values back."""


class Floats(traitlets.TraitType):
    """Finite numbers, given as an array of any framework."""

    def validate(self, live: "Live", value: Numbers) -> float | list[float]:
        """Return a list, or a float where the trait is a single number."""
        name = self.name
        none = value is None or (isinstance(value, list) and not value)
        if none and name == "truth":
            return []
        array = as_array(value, name, 0)
        require(np.isfinite(array).all(), name, "finite numbers", array)
        if name in ("w", "query"):
            require(array.size == 1, name, "one number", array)
            number = array.item()  # beyond 1e6 its square might be infinite
            ok = name == "query" or 0 < number <= 1e6
            require(ok, name, "above 0, at most 1e6", number)
            return number
        array = as_column(array, name)
        rising = array.size > 1 and np.all(np.diff(array) > 0)
        expected = "two or more numbers in rising order"
        require(rising or name != "x_test", name, expected, array)
        return array.tolist()


class Live(anywidget.AnyWidget):
    """Attention pooling of n training pairs, to drag, slide and switch.

    All arguments are attributes too, which Python reads and sets, and which
    hold what the reader has done in the figure. Bad values raise ValueError or
    TypeError with the argument's name (for ``kernel`` a TraitError).

    Args:
        x_train, y_train: keys and values, (n,) each.
        w: inverse width of the kernel, 1/h, above 0.
        kernel: "gaussian", "boxcar", "triangular" or "epanechnikov".
        x_test: queries of the curve, (m,), rising; None for 101 over the keys.
        truth: values without noise at x_test, (m,), or None.
        query: the query to look at; None for the middle of x_test.
    """

    _esm = Path(__file__).with_name("live.js")
    x_train = Floats().tag(sync=True)
    y_train = Floats().tag(sync=True)
    x_test = Floats().tag(sync=True)
    truth = Floats([]).tag(sync=True)
    query = Floats(0.0).tag(sync=True)
    w = Floats(1.0).tag(sync=True)
    kernel = traitlets.CaselessStrEnum([*KERNELS], "gaussian").tag(sync=True)

    def __init__(
        self, x_train: Numbers, y_train: Numbers, w: Numbers = 1.0,
        kernel: str = "gaussian", x_test: Numbers = None,
        truth: Numbers = None, query: Numbers = None,
    ) -> None:  # fmt: skip
        """Check all values, and fill in x_test and the query."""
        keys = as_array(x_train, "x_train", 0)
        if x_test is None:
            pad = float(keys.min() == keys.max())  # one key is no interval
            x_test = np.linspace(keys.min() - pad, keys.max() + pad, 101)
        x_test = as_column(x_test, "x_test")
        query = (x_test[0] + x_test[-1]) / 2 if query is None else query
        pairs = {"x_train": keys, "y_train": y_train, "w": w, "kernel": kernel}
        super().__init__(**pairs, x_test=x_test, truth=truth, query=query)

    def set_pairs(self, x_train: Numbers, y_train: Numbers) -> None:
        """Set keys and values, (n,) each, at once: n may be a new one."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.x_train, self.y_train = x_train, y_train

    @traitlets.validate(*PARTNERS)
    def _same_lengths(self, proposal: Any) -> list[float]:
        name, value = proposal.trait.name, proposal.value
        n = len(getattr(self, PARTNERS[name]))
        hint = "set_pairs sets both" if "train" in name else "or none"
        expected = f"{n} numbers, as many as {PARTNERS[name]} ({hint})"
        ok = len(value) in (0, n)
        require(ok, name, expected, np.array(value), BadValue)
        return value

    def _pool(self, queries: list, leave_out: bool = False) -> np.ndarray:
        u = self.w * (np.array(queries)[:, None] - np.array(self.x_train))
        if leave_out:  # no kernel reaches that far
            np.fill_diagonal(u, np.inf)
        with np.errstate(invalid="ignore"):  # no key in range: 0/0 is a gap
            K = KERNELS[self.kernel](u)  # (queries, n)
            return K / K.sum(axis=1, keepdims=True)

    @property
    def y_hat(self) -> np.ndarray:
        """Predictions at x_test, (m,); NaN where no key is in range."""
        return self._pool(self.x_test) @ np.array(self.y_train)

    @property
    def weights(self) -> np.ndarray:
        """Attention weights of the keys for the query, (n,)."""
        return self._pool([self.query])[0]

    @property
    def effective(self) -> float:
        """Mean of 1/sum of squared weights at x_test, gaps left out."""
        return _mean(1 / np.sum(self._pool(self.x_test) ** 2, axis=1))

    @property
    def loss(self) -> float:
        """Mean squared leave-one-out loss of pairs with another in range."""
        weights = self._pool(self.x_train, leave_out=True)
        return _mean((weights @ np.array(self.y_train) - self.y_train) ** 2)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict]:
        """Return the figure, its text, and the values it begins with."""
        data, metadata = super()._repr_mimebundle_(**options)
        names = "x_train", "y_train", "x_test", "truth", "query", "w"
        start = {n: np.round(getattr(self, n), 8).tolist() for n in names}
        text = json.dumps({**start, "kernel": self.kernel})
        return {**data, "text/plain": repr(self), MIME: text}, metadata

    def __repr__(self) -> str:
        """Return the numbers of the figure, for outputs without a browser."""
        n, about = len(self.x_train), f"{self.effective:.3g} keys"
        text = f"Live(w={self.w:.4g}, kernel={self.kernel!r}, n={n})"
        return f"{text}: leave-one-out loss {self.loss:.3g}, {about}"


def _mean(values: np.ndarray) -> float:
    numbers = values[~np.isnan(values)]
    return numbers.mean().item() if numbers.size else float("nan")
