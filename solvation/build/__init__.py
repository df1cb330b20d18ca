"""Build: from a recipe to a box of molecules with forces on them."""
