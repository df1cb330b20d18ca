"""Arithmetic on plain arrays: numpy and scipy, nothing else.

Every function takes and returns arrays with stated shapes and units, knows nothing of files,
molecules or chemistry, and works on blocks of frames: the first axis is the frame.
"""
