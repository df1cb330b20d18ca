r"""How the points of one mean squared displacement fluctuate together.

All points of a mean squared displacement that is averaged over all time origins come from the
same path, so they are strongly correlated and a least-squares fit that takes them for independent
is wrong about its error by an order of magnitude. For a Gaussian process whose steps are
stationary the covariance follows from the displacement curve itself. With
:math:`g_{xy}(\tau) = \langle [x(t+\tau)-x(t)][y(t+\tau)-y(t)] \rangle` two displacements have

.. math::
    h_{xy}(u) = \langle [x(t+k)-x(t)]\,[y(t+u+l)-y(t+u)] \rangle
              = \tfrac12 [g_{xy}(u+l) + g_{xy}(u-k) - g_{xy}(u) - g_{xy}(u+l-k)]

and by Wick's theorem the averages over the :math:`n-k` and :math:`n-l` origins have

.. math::
    C_{kl} = \sum_u \frac{n_u}{(n-k)(n-l)} \left[ h_{xx}(u) h_{yy}(u) + h_{xy}(u)^2 \right]

where :math:`n_u` counts the pairs of origins that are :math:`u` apart. For a random walk with
noise this is the covariance of Bullerjahn, von Bülow, Hummer, J. Chem. Phys. 2020, 153, 024116
(doi:10.1063/5.0008312); kinisi (McCluskey et al., J. Chem. Theory Comput. 2025,
doi:10.1021/acs.jctc.4c01249) uses that of the walk without noise, scaled by the observed
variance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["displacement_covariance"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def displacement_covariance(
    lags: Ints,
    curve: Floats,
    *,
    n_frames: int,
    partners: tuple[Floats, Floats] | None = None,
    reach: int | None = None,
) -> Floats:
    """Return the covariance of one path's displacement curve between lags.

    Parameters
    ----------
    lags
        In frames, rising, shape ``(n_lags,)``.
    curve
        The expected curve of one Cartesian component at lags 0, 1, 2, ..., at least up to
        ``lags[-1] + reach`` (what lies beyond is continued as a straight line).
    n_frames
        Frames of the path; all are origins.
    partners
        For a cross curve: the expected curves of the two displacements that are multiplied.
    reach
        Lag in frames from which all curves are straight lines, so that displacements further
        apart are independent; the whole path if not given.

    Returns
    -------
    Shape ``(n_lags, n_lags)``, in the square of the unit of the curve. For the average of
    :math:`m` independent paths, divide by :math:`m`.

    Examples
    --------
    Independent steps: the mean of 99 squares of variance 2 D = 1 has variance 2 / 99.

    >>> walk = np.arange(100.0)
    >>> round(float(displacement_covariance(np.array([1]), walk, n_frames=100)[0, 0] * 99), 6)
    2.0
    """
    longest = int(lags[-1])
    tail = n_frames if reach is None else max(int(reach), 1)
    size = 2 * longest + tail + 2
    both = (curve, curve) if partners is None else partners
    cross, first, second = (_mirror(c, size) for c in (curve, *both))
    # The summand is smooth on the scale of the shortest lag: no need to look at every frame.
    stride = max(1, int(lags[0]) // 8)
    covariance = np.empty((len(lags), len(lags)))
    for i, k in enumerate(int(x) for x in lags):
        for j, m in enumerate(int(x) for x in lags[i:]):
            low, high = max(-m - tail, k - n_frames + 1), min(k + tail, n_frames - m - 1)
            # Multiples of the stride, so that zero shift is among them.
            low, high = -(-low // stride), high // stride
            u = np.arange(low, high + 1) * stride
            count = np.minimum(n_frames - k, n_frames - m - u) - np.maximum(0, -u)
            at = slice(size + low * stride, size + high * stride + 1, stride)
            if partners is None:
                h = _overlap(cross, at, k, m)
                total = 2.0 * float(count @ (h * h))
            else:
                h, one, two = (_overlap(g, at, k, m) for g in (cross, first, second))
                total = float(count @ (one * two + h * h))
            value = total * stride / ((n_frames - k) * (n_frames - m))
            covariance[i, i + j] = covariance[i + j, i] = value
    return covariance


def _mirror(curve: Floats, size: int) -> Floats:
    """Continue a curve to ``size`` lags as a straight line, and to negative lags: it is even."""
    known = np.asarray(curve, dtype=np.float64)[: size + 1]
    if len(known) <= size:
        step = known[-1] - known[-2]
        more = known[-1] + step * np.arange(1, size + 2 - len(known))
        known = np.concatenate([known, more])
    return np.concatenate([known[:0:-1], known])


def _overlap(mirrored: Floats, at: slice, k: int, m: int) -> Floats:
    """Return the covariance of displacements over ``k`` and ``m`` frames, by shift of origins."""

    def moved(by: int) -> Floats:
        return mirrored[at.start + by : at.stop + by : at.step]

    overlap: Floats = 0.5 * (moved(m) + moved(-k) - moved(0) - moved(m - k))
    return overlap
