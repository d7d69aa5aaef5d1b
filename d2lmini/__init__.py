"""The few pictures that the lessons draw, for arrays of any framework."""

from d2lmini.animator import Animator
from d2lmini.figures import plot, plot_kernel_reg, plt
from d2lmini.figures import set_figsize, show_heatmaps, use_svg_display

__all__ = ["Animator", "plot", "plot_kernel_reg", "plt"]
__all__ += ["set_figsize", "show_heatmaps", "use_svg_display"]
