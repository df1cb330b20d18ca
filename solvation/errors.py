r"""Everything that can go wrong, as one small tree.

::

    SolvationError
    ├── RecipeError            (ValueError)    the recipe, or a choice given on the command line
    ├── UnitError              (ValueError)    a value without a unit, or with the wrong one
    ├── ForceFieldError        (ValueError)    a force field that is unknown, broken or unsafe
    ├── MissingParameterError  (LookupError)   a species or term that the force field lacks
    ├── PackingError           (RuntimeError)  molecules that do not fit in the box
    ├── AuditError             (ValueError)    a built system that must not be simulated
    ├── SimulationError        (RuntimeError)  a run that blew up, or no platform to run it
    ├── TrajectoryError        (ValueError)    a trajectory or topology that cannot be analyzed
    ├── StopError              (RuntimeError)  a run that was asked to stop, and resumes
    └── WorkspaceError         (OSError)       a run folder that cannot be read, written or shared

Each is also the builtin named beside it, so ``except ValueError`` works for people who do
not know the tree. A message says what was wrong, with the value and the place, and what to do.
"""

__all__ = [
    "AuditError",
    "ForceFieldError",
    "MissingParameterError",
    "PackingError",
    "RecipeError",
    "SimulationError",
    "SolvationError",
    "StopError",
    "TrajectoryError",
    "UnitError",
    "WorkspaceError",
]


class SolvationError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 2
    """Exit status of the command line when this error ends it."""


class RecipeError(SolvationError, ValueError):
    """The recipe, or a choice given on the command line, is wrong."""


class UnitError(SolvationError, ValueError):
    """A value has no unit, or the wrong one."""


class ForceFieldError(SolvationError, ValueError):
    """A force field is unknown, broken or unsafe."""


class MissingParameterError(SolvationError, LookupError):
    """The force field lacks a species or a term."""


class PackingError(SolvationError, RuntimeError):
    """The molecules do not fit in the box."""


class AuditError(SolvationError, ValueError):
    """The system was built but must not be simulated."""


class SimulationError(SolvationError, RuntimeError):
    """The run blew up, or no platform can run it."""

    exit_code = 3


class StopError(SolvationError, RuntimeError):
    """The run stopped because it was asked to, at a checkpoint; it can be resumed."""

    exit_code = 130


class TrajectoryError(SolvationError, ValueError):
    """A trajectory or topology cannot be analyzed."""


class WorkspaceError(SolvationError, OSError):
    """A run folder cannot be read, written or shared."""
