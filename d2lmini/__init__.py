"""The few plotting helpers the lessons take from d2l, for any framework."""

from d2lmini.figures import Animator, plot, plot_kernel_reg, plt
from d2lmini.figures import set_figsize, show_heatmaps, use_svg_display

__all__ = ["Animator", "plot", "plot_kernel_reg", "plt", "set_figsize"]
__all__ += ["show_heatmaps", "use_svg_display"]
