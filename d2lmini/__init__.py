"""The few helpers that the lessons import, for arrays of any framework."""

from d2lmini.exercises import check
from d2lmini.figures import Animator, plot, plot_kernel_reg, plt
from d2lmini.figures import set_figsize, show_heatmaps, use_svg_display

__all__ = ["Animator", "check", "plot", "plot_kernel_reg", "plt"]
__all__ += ["set_figsize", "show_heatmaps", "use_svg_display"]
