"""Export: a built system in the files of other simulation programs."""
