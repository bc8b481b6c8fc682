#!/usr/bin/python3
"""Stored values for test_learn.c.

usage: make_learn_values.py DIRECTORY > learn_values.h

DIRECTORY holds humanloop_ref.py, the numpy reference implementation of the
learning core.  Needs numpy, scipy and scikit-learn.  All inputs can be
represented in float32, so that both sides start from the same numbers.
"""
import sys

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, log_loss

sys.path.insert(0, sys.argv[1])
import humanloop_ref as hl  # noqa: E402

N, DIMS, QUERIES, TARGETS, CHOSEN, DRAWS = 60, 7, 10, 20, 25, 64
LAM = 0.1
GRID = (0.03, 0.1, 0.3)
TEMPER, WIDEN = 0.5, 1.2


def f32(a):
    return np.asarray(a, np.float32).astype(float)


def emit(name, a, kind='double'):
    a = np.asarray(a).ravel()
    form = {'double': '%.17g', 'float': '%.9g', 'int': '%d'}[kind]
    tail = 'f' if kind == 'float' else ''
    items = []
    for v in a:
        s = form % v
        items.append(s + ('.0' if tail and '.' not in s and 'e' not in s else '') + tail)
    print('static const %s %s[%d] = {' % (kind, name, len(items)))
    for i in range(0, len(items), 6):
        print('\t' + ', '.join(items[i:i + 6]) + ',')
    print('};\n')


def unit_rows(rng, centres, labels):
    X = centres[labels] + rng.standard_normal((len(labels), DIMS)) * 0.9
    return f32(X / np.linalg.norm(X, axis=1, keepdims=True))


def with_one(X):
    return np.hstack([X, np.ones((len(X), 1))])


def choose(X, Y, fold, folds):
    """hl.choose with given folds and to the last digit."""
    best = None
    for lam in GRID:
        F = np.zeros(Y.shape)
        for k in range(folds):
            m = fold != k
            F[~m] = X[~m] @ hl.fit(X[m], Y[m], lam, tol=1e-18)[0]

        def loss(t):
            return -(Y * np.log(hl.softmax(F * np.exp(t)) + 1e-300)).sum() + 0.5 * (t / 0.5) ** 2
        o = minimize_scalar(loss, bounds=(-2, 2.3), method='bounded', options=dict(xatol=1e-9))
        if best is None or o.fun < best[0]:
            best = (o.fun, lam, float(np.exp(o.x)), F)
    return best


def variance(X, Q, P, prior):
    """The posterior of posterior.c, all directions told apart."""
    w = (1 - (P ** 2).sum(1)) / 2
    a, U = eigh((X * w[:, None]).T @ X)
    own = ((X @ U) ** 2).T @ (P * (1 - P))
    precision = np.sqrt(np.maximum(a, 0)[:, None] * own) + prior
    return ((Q @ U) ** 2) @ (1 / precision)


def split(F, V, z):
    """hl.uncertainty with given draws."""
    P, H = 0, 0
    for v in np.vstack([z, -z]):
        p = hl.softmax(WIDEN * F + np.sqrt(TEMPER * V) * v)
        P, H = P + p, H + hl.entropy(p)
    return hl.entropy(P / DRAWS), H / DRAWS


def epig(Q, P, R, PT, batch):
    """hl.epig_greedy from whitened rows, with the gains."""
    Q, R = Q.copy(), R.copy()
    k, s = Q @ R.T, (Q * Q).sum(1)
    h, ht = P * (1 - P), PT * (1 - PT)
    chosen, gains = [], []
    for _ in range(batch):
        gain = (k * k * ((h / (1 + s[:, None] * h)) @ ht.T)).sum(1)
        gain[chosen] = -1
        j = int(gain.argmax())
        chosen.append(j)
        gains.append(gain[j])
        shrink = 1 / (s[j] + 1 / max(h[j].sum(), 1e-6))
        c = (1 - np.sqrt(max(1 - s[j] * shrink, 0))) / max(s[j], 1e-12)
        q = Q[j].copy()
        Q -= c * np.outer(Q @ q, q)
        R -= c * np.outer(R @ q, q)
        k, s = Q @ R.T, (Q * Q).sum(1)
    return chosen, gains


def ece(P, y, bins=15):
    c, hit = P.max(1), P.argmax(1) == y
    order = np.argsort(c, kind='stable')
    return sum(abs(c[i].sum() - hit[i].sum()) for i in np.array_split(order, bins)) / len(y)


def case(K, seed, folds):
    rng = np.random.default_rng(seed)
    name = 'case%d_' % K
    y = np.concatenate([np.arange(K), np.arange(K), rng.integers(0, K, N - 2 * K)])
    rng.shuffle(y)
    centres = rng.standard_normal((K, DIMS))
    dense = unit_rows(rng, centres, y)
    query = unit_rows(rng, centres, rng.integers(0, K, QUERIES))
    X, Q, Y = with_one(dense), with_one(query), np.eye(K)[y]
    emit(name + 'dense', dense, 'float')
    emit(name + 'query', query, 'float')
    emit(name + 'label', y, 'int')

    W = f32(rng.standard_normal((DIMS + 1, K)))
    value, gradient = hl.objective(X, Y, W, LAM)
    emit(name + 'weights', W)
    emit(name + 'gradient', gradient)
    optimum, best_value = hl.fit(X, Y, LAM, tol=1e-18)
    emit(name + 'optimum', optimum)

    fold = np.empty(N, int)
    fold[np.lexsort((rng.random(N), y))] = np.arange(N) % folds
    loss, lam, s, F = choose(X, Y, fold, folds)
    emit(name + 'fold', fold, 'int')
    emit(name + 'logits', F)

    P = f32(hl.softmax(F * s))
    prior = lam / s ** 2
    V = variance(X, Q, P, prior)
    emit(name + 'probability', P, 'float')
    emit(name + 'variance', V)

    logits = f32(3 * rng.standard_normal((QUERIES, K)))
    spread = f32(rng.gamma(1.0, 4.0, (QUERIES, K)))
    z = f32(rng.standard_normal((DRAWS // 2, K)))
    total, aleatoric = split(logits, spread, z)
    emit(name + 'score_logits', logits, 'float')
    emit(name + 'score_variance', spread, 'float')
    emit(name + 'normal', z.T, 'float')
    emit(name + 'total', total)
    emit(name + 'aleatoric', aleatoric)
    emit(name + 'point', hl.softmax(logits))

    post = hl.kron_posterior(X, optimum * s)
    a, Ua, b, _ = post
    T = rng.choice(N, TARGETS, replace=False)
    PC = f32(hl.softmax(X @ optimum * s))
    expected = hl.epig_greedy(X, PC, X[T], PC[T], post, prior, CHOSEN)
    scale = 1 / np.sqrt(a * (b[1:].mean() if K > 2 else b.max()) + prior)
    white = (X @ Ua) * scale
    chosen, gains = epig(white, PC, white[T], PC[T], CHOSEN)
    assert (np.array(chosen) == expected).all()
    emit(name + 'white', white)
    emit(name + 'target', T, 'int')
    emit(name + 'candidate_probability', PC, 'float')
    emit(name + 'chosen', chosen, 'int')
    emit(name + 'gain', gains)

    P = f32(hl.softmax(F))
    P[::7] = P[0]                       # equal confidences, also at an edge
    hits = int((P.argmax(1) == y).sum())
    ci = binomtest(hits, N).proportion_ci(0.95, 'wilson')
    emit(name + 'measured', P, 'float')
    emit(name + 'confusion', confusion_matrix(y, P.argmax(1), labels=np.arange(K)), 'int')
    loss_of_p = log_loss(y, P / P.sum(1, keepdims=True), labels=np.arange(K))
    assert abs(np.log(P.sum(1)).max()) < 1e-6
    numbers = (value, best_value, lam, s, loss, hits / N, ci.low, ci.high, loss_of_p, ece(P, y))
    return '\t{%d, %d, %s,\n\t\t%s},' % (
        K, folds, ', '.join('%.17g' % v for v in numbers),
        ', '.join(name + v for v in FIELDS))


FIELDS = ('dense query label weights gradient optimum fold logits probability variance '
          'score_logits score_variance normal total aleatoric point white target '
          'candidate_probability chosen gain measured confusion').split()
KINDS = dict(dense='float', query='float', label='int', fold='int', probability='float',
             score_logits='float', score_variance='float', normal='float', target='int',
             candidate_probability='float', chosen='int', measured='float', confusion='int')


def main():
    print('/*\n * learn_values.h\n *\t  Generated by make_learn_values.py; do not edit.\n */')
    for name, value in dict(CASE_ROWS=N, CASE_DIMS=DIMS, CASE_QUERIES=QUERIES,
                            CASE_TARGETS=TARGETS, CASE_CHOSEN=CHOSEN,
                            CASE_PRIORS=len(GRID)).items():
        print('#define %s %d' % (name, value))
    print('#define CASE_PRIOR %r\n' % LAM)
    emit('case_grid', GRID)
    rows = [case(2, 1, 5), case(3, 2, 5), case(7, 3, 4)]
    print('typedef struct LearnCase\n{\n\tint\t\t\tclasses;\n\tint\t\t\tfolds;')
    for v in ('value', 'best_value', 'prior_precision', 'scale', 'loss', 'accuracy',
              'accuracy_low', 'accuracy_high', 'log_loss', 'calibration_error'):
        print('\tdouble\t\t%s;' % v)
    for v in FIELDS:
        print('\tconst %s *%s;' % (KINDS.get(v, 'double'), v))
    print('} LearnCase;\n\nstatic const LearnCase learn_cases[%d] = {' % len(rows))
    print('\n'.join(rows) + '\n};')


main()
