"""How good all of it is: planted faults, surroundings, answers, times."""
