"""Values of the study's statistics from NumPy and SciPy, for test/golden/statistics.test.ts.

Run: python3 scripts/golden/statistics.py > test/golden/fixtures/statistics.json
Needs numpy, scipy >= 1.9. Holm's correction is written out from its definition.
"""
import json
import sys

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(7)


def paired(n, ties):
    d = np.round(rng.normal(0.02, 0.05, n), 3)
    d[:ties] = 0
    res = stats.permutation_test(
        (d,), np.sum, permutation_type="samples", alternative="two-sided", n_resamples=np.inf
    )
    return {"differences": d.tolist(), "p": float(res.pvalue)}


def sampled(n):
    """The exact p-value of more pairs than we enumerate; ours is drawn."""
    d = rng.normal(0.03, 0.08, n)
    signs = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) * 2 - 1
    sums = np.abs(signs @ np.abs(d))
    return {"differences": d.tolist(), "p": float(np.mean(sums >= abs(d.sum()) - 1e-12))}


def correlated(n, levels):
    x = rng.normal(size=n)
    y = 0.5 * x + rng.normal(size=n)
    if levels:
        x, y = np.round(x * levels), np.round(y * levels)
    return {"x": x.tolist(), "y": y.tolist(), "rho": float(stats.spearmanr(x, y).statistic), "ranks": stats.rankdata(x).tolist()}


def holm(p):
    p = np.asarray(p)
    order = np.argsort(p, kind="stable")
    m = len(p)
    out = np.empty(m)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (m - rank) * p[i]))
        out[i] = running
    return out.tolist()


values = rng.normal(size=12)
boot = rng.normal(0.5, 0.1, 20)
interval = stats.bootstrap((boot,), np.mean, method="percentile", n_resamples=200_000, random_state=1).confidence_interval
p_values = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04]
json.dump(
    {
        "made": f"numpy {np.__version__}, scipy {scipy.__version__}",
        "paired": [paired(5, 0), paired(5, 2), paired(9, 1), paired(12, 0)],
        "sampled": sampled(18),
        "spearman": [correlated(8, 0), correlated(30, 0), correlated(40, 1)],
        "holm": {"p": p_values, "adjusted": holm(p_values)},
        "quantiles": {"values": values.tolist(), "p": [0, 0.025, 0.5, 0.9, 1], "q": np.quantile(values, [0, 0.025, 0.5, 0.9, 1]).tolist()},
        "bootstrap": {"values": boot.tolist(), "low": interval.low, "high": interval.high},
    },
    sys.stdout,
    indent=1,
)
