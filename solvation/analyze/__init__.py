"""Analyze: from frames to numbers with error bars.

`solvation.analyze.scene` opens trajectories, `solvation.analyze.driver` loops over their frames,
and each of the other modules is one observable.
"""
