"""The live figure of attention pooling, for JupyterLab; needs anywidget."""

import json
from pathlib import Path

import numpy as np

from anyarray import as_array, as_column, require

try:
    import anywidget
    import traitlets as t
except ImportError as error:
    words = "the live figure needs anywidget: pip install anywidget"
    raise ImportError(words) from error

# What a notebook keeps besides the text, so that a page can begin with it:
# JSON as one text, because a notebook gives each number of a list a line.
MIME = "application/vnd.d2lmini.live+json"
KERNELS = {
    "gaussian": lambda u: np.exp((np.min(u**2, -1, keepdims=True) - u**2) / 2),
    "boxcar": lambda u: (np.abs(u) <= 1).astype(float),
    "triangular": lambda u: np.maximum(0, 1 - np.abs(u)),
    "epanechnikov": lambda u: np.maximum(0, 1 - u**2),
}


class BadValue(t.TraitError, ValueError):
    """A ValueError after which traitlets put the old values back."""


class Numbers(t.TraitType):
    """A list of finite floats, given as an array of any framework."""

    def validate(self, live, value):
        """Return a list, or a float where the trait is a single number."""
        empty = isinstance(value, list | tuple) and not value
        if (value is None or empty) and self.metadata.get("optional"):
            return []
        single = self.metadata.get("single")
        array = as_array(value, self.name, 0)
        require(np.isfinite(array).all(), self.name, "finite numbers", array)
        require(not single or array.size == 1, self.name, "one number", array)
        array = array if single else as_column(array, self.name)
        return array.item() if single else array.tolist()


class Live(anywidget.AnyWidget):
    """Attention pooling of n training pairs, to drag, slide and switch.

    Parameters
    ----------
    x_train, y_train
        Keys and values, (n,), as arrays of any framework.
    w
        Inverse width of the kernel, 1/h, above 0.
    kernel
        One of "gaussian", "boxcar", "triangular", "epanechnikov".
    x_test
        Queries of the curve, (m,), rising; by default 101 over the keys.
    truth
        Values without noise at x_test, (m,), or None.
    query
        The query to look at; by default the middle of x_test.

    All are attributes too, which Python reads and sets, and which hold what
    the reader has done in the figure. Bad values raise ValueError or TypeError
    with the argument's name (for ``kernel`` a TraitError).

    """

    _esm = Path(__file__).with_name("live.js")
    x_train = Numbers().tag(sync=True)
    y_train = Numbers().tag(sync=True)
    x_test = Numbers().tag(sync=True)
    truth = Numbers([]).tag(sync=True, optional=True)
    query = Numbers(0.0).tag(sync=True, single=True)
    w = Numbers(1.0).tag(sync=True, single=True)
    kernel = t.CaselessStrEnum([*KERNELS], "gaussian").tag(sync=True)

    def __init__(
        self,
        x_train,
        y_train,
        w=1.0,
        kernel="gaussian",
        x_test=None,
        truth=None,
        query=None,
    ):
        """Check all values, and fill in x_test and the query."""
        keys = as_array(x_train, "x_train", 0)
        if x_test is None:
            pad = float(keys.min() == keys.max())  # one key is no interval
            x_test = np.linspace(keys.min() - pad, keys.max() + pad, 101)
        x_test = as_column(x_test, "x_test")
        super().__init__(
            x_train=keys,
            y_train=y_train,
            w=w,
            kernel=kernel,
            x_test=x_test,
            truth=truth,
            query=(x_test[0] + x_test[-1]) / 2 if query is None else query,
        )

    def set_pairs(self, x_train, y_train):
        """Set keys and values, (n,) each, at once: n may be a new one."""
        with self.hold_sync(), self.hold_trait_notifications():
            self.x_train, self.y_train = x_train, y_train

    @t.validate("x_train", "y_train", "x_test", "truth")
    def _same_lengths(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if "train" in name:
            other = "y_train" if name == "x_train" else "x_train"
            n = len(getattr(self, other))
            expected = f"{n} numbers, as many as {other} (set_pairs sets both)"
            require(len(value) == n, name, expected, np.array(value), BadValue)
        else:  # whichever is new, the truth is what does not fit
            ends = {"x_test": self.x_test, "truth": self.truth, name: value}
            n, truth = len(ends["x_test"]), np.array(ends["truth"])
            expected = f"{n} numbers, as many as x_test, or none"
            require(truth.size in (0, n), "truth", expected, truth, BadValue)
        if name == "x_test":
            rising = len(value) > 1 and np.all(np.diff(value) > 0)
            expected = "two or more numbers in rising order"
            require(rising, name, expected, np.array(value), BadValue)
        return value

    @t.validate("w")
    def _positive(self, proposal):
        w = proposal.value  # beyond 1e6 its square might leave the floats
        require(0 < w <= 1e6, "w", "above 0, at most 1e6", w, BadValue)
        return w

    def _pool(self, queries, leave_out=False):
        u = self.w * (np.array(queries)[:, None] - np.array(self.x_train))
        if leave_out:  # no kernel reaches that far
            np.fill_diagonal(u, np.inf)
        with np.errstate(invalid="ignore"):  # no key in range: 0/0 is a gap
            K = KERNELS[self.kernel](u)  # (queries, n)
            return K / K.sum(axis=1, keepdims=True)

    @property
    def y_hat(self):
        """Predictions at x_test, (m,); NaN where no key is in range."""
        return self._pool(self.x_test) @ np.array(self.y_train)

    @property
    def weights(self):
        """Attention weights of the keys for the query, (n,)."""
        return self._pool([self.query])[0]

    @property
    def effective(self):
        """Effective number of keys, 1/sum of squared weights, on average.

        Over the queries of x_test that have a key in range; NaN if none has.
        """
        return _mean(1 / np.sum(self._pool(self.x_test) ** 2, axis=1))

    @property
    def loss(self):
        """Mean squared leave-one-out loss.

        Over the pairs that have another in range; NaN if none has.
        """
        weights = self._pool(self.x_train, leave_out=True)
        return _mean((weights @ np.array(self.y_train) - self.y_train) ** 2)

    def _repr_mimebundle_(self, **options):
        """Return the figure, its text, and the values it begins with."""
        made = super()._repr_mimebundle_(**options)
        data, metadata = made if isinstance(made, tuple) else (made, {})
        names = "x_train", "y_train", "x_test", "truth", "query", "w", "kernel"
        values = {name: _short(getattr(self, name)) for name in names}
        return {
            **(data or {}),
            "text/plain": repr(self),
            MIME: json.dumps(values, separators=(",", ":")),
        }, metadata

    def __repr__(self):
        """Return the numbers of the figure, for outputs without a browser."""
        n, about = len(self.x_train), f"{self.effective:.3g} keys"
        text = f"Live(w={self.w:.4g}, kernel={self.kernel!r}, n={n})"
        return f"{text}: leave-one-out loss {self.loss:.3g}, {about}"


def _short(value):
    """Round what is a number, or a list of them, to nine digits."""
    if isinstance(value, list):
        return [_short(number) for number in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _mean(values):
    numbers = values[~np.isnan(values)]
    return numbers.mean().item() if numbers.size else float("nan")
