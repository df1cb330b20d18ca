"""Campaign: many runs from one file, as a graph of tasks on Dask."""
