"""How nbsight does on notebooks that others wrote, and beside its peers.

``strangers`` are small notebooks of the kinds that repositories hold;
``faults`` are changes that a check must see and surroundings that it must
not mind; ``peers`` compares it with other checks. None of it is in the wheel.
"""
