"""Commands: what each word after ``solvation`` does."""
