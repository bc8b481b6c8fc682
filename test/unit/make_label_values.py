#!/usr/bin/python3
"""Stored values for test_label_model.c.

usage: make_label_values.py > label_values.h

The label model in dense numpy: what label_model.h says, with all matrices
written out.  Needs numpy.
"""
import numpy as np

ROUNDS, TOLERANCE = 100, 1e-4
PEOPLE, PEOPLE_ANSWERS, VOICE, SHARED = 0.9, 20.0, 8.0, 10.0
RULE, RULE_ANSWERS, STRENGTH, MOST, MOST_SPOKEN = 0.75, 4.0, 10.0, 0.95, 0.99


def fit(N, rule, K, known, classifier):
    """N: items x voices, -1 where there is no answer."""
    n, V = N.shape
    people, rules = np.where(~rule)[0], np.where(rule)[0]
    said_p = (N[:, people] >= 0).sum(1)
    said_r = (N[:, rules] >= 0).sum(1)
    heard = (said_p + said_r > 0) | (known >= 0)
    judged = (said_p > 0) | (known >= 0)
    has_row = ~np.isnan(classifier[:, 0])
    comparable = heard & ((known >= 0) | (said_p + said_r > 1) | has_row)
    Z = np.zeros((V, n, K))
    for v in range(V):
        at = N[:, v] >= 0
        Z[v, at, N[at, v]] = 1
    P = np.zeros((n, K))
    some = said_p > 0
    P[some] = Z[people].sum(0)[some] / said_p[some, None]
    P[known >= 0] = np.eye(K)[known[known >= 0]]
    ROW = np.sqrt(2 * K)
    w, last, diagonal = 0.0, -np.inf, np.arange(K)
    for _ in range(ROUNDS):
        # counts
        mass = P[heard].sum(0)
        cmp = np.where(comparable, 1.0, 0.0)
        count = np.array([(P * (1.0 if rule[v] else cmp[:, None])).T @ Z[v] for v in range(V)])
        # parameters
        spread = heard.sum() - mass.sum() + K + (heard & ~judged).sum()
        prior = (mass + spread / K) / (mass.sum() + spread)
        said = np.array([(Z[v].sum(1) * (1.0 if rule[v] else cmp)).sum() for v in range(V)])
        right = np.einsum('vtt->v', count)
        pool = (right[people].sum() + PEOPLE_ANSWERS * PEOPLE) / (said[people].sum() + PEOPLE_ANSWERS)
        accuracy = (right + VOICE * pool) / (said + VOICE)
        off = count[people].sum(0) * (1 - np.eye(K))
        confused = (off + SHARED / (K - 1)) / (off.sum(1, keepdims=True) + SHARED)
        probability = np.zeros((V, K, K))
        for v in people:
            expected = (1 - accuracy[v]) * confused
            expected[diagonal, diagonal] = accuracy[v]
            probability[v] = (count[v] + ROW * expected) / (count[v].sum(1, keepdims=True) + ROW)
        # rules
        weight = np.ones(V)
        correlation = np.zeros((V, V))
        safe = np.where(mass > 0, mass, 1)
        for u in rules:
            for v in rules:
                together = (Z[u] * Z[v]).sum()
                correlation[u, v] = together - (np.where(mass > 0, 1, 0)[:, None] *
                                                count[u] * count[v] / safe[:, None]).sum()
        for u in rules:
            weight[u] = 1 / (1 + sum(min(1, max(0, correlation[u, v]) ** 2 /
                                         (correlation[u, u] * correlation[v, v]))
                                     for v in rules if v != u))
        silence = np.zeros((V, K))
        rule_expected = np.zeros((V, K, K))
        for v in rules:
            spoken = Z[v].sum(0)
            jn = Z[v][judged].sum(0)
            jr = (Z[v] * P)[judged].sum(0)
            all_ = (jr.sum() + RULE_ANSWERS * RULE) / (jn.sum() + RULE_ANSWERS)
            a = (jr + RULE_ANSWERS * all_) / (jn + RULE_ANSWERS)
            c = spoken / heard.sum()
            a = np.where(c * a > MOST * prior, MOST * prior / np.where(c > 0, c, 1), a)
            expected = np.tile(c * (1 - a) / (1 - prior), (K, 1))
            expected[diagonal, diagonal] = c * a / prior
            total = expected.sum(1)
            expected *= np.where(total > MOST_SPOKEN, MOST_SPOKEN / total, 1)[:, None]
            rule_expected[v] = expected
            strength = STRENGTH * heard.sum() / K
            probability[v] = (count[v] + strength * expected) / (mass + strength)[:, None]
            silent = mass - count[v].sum(1) + strength * (1 - expected.sum(1))
            silence[v] = (silent / (mass + strength)) ** (1 / len(rules))
        # classifier
        gain = np.log(np.maximum(classifier, 1e-4) / prior)

        def tempered(w):
            value = prior * np.exp(w * gain)
            return value / value.sum(1, keepdims=True)
        rows = has_row & heard & (P.sum(1) > 0)
        if has_row.any():
            p = tempered(w)[rows]
            g = gain[rows]
            slope = 4 * (0.5 - w) + (P[rows] * g).sum() - (p * g).sum()
            curvature = 4 + ((p * g * g).sum(1) - (p * g).sum(1) ** 2).sum()
            w = min(1, max(0, w + slope / curvature))
        # posteriors, each from the counts of the other items
        value = np.where(has_row[:, None], tempered(w), prior)
        for i in range(n):
            for v in rules:
                value[i] *= 1 if N[i, v] >= 0 else silence[v]
            here = [v for v in people if N[i, v] >= 0]
            counts = here if comparable[i] else []
            r = sum(P[i, N[i, v]] for v in counts)
            pool = (right[people].sum() - r + PEOPLE_ANSWERS * PEOPLE) / \
                (said[people].sum() - len(counts) + PEOPLE_ANSWERS)
            off_i = off.copy()
            for v in counts:
                mine = P[i].copy()
                mine[N[i, v]] = 0
                off_i[:, N[i, v]] -= mine
            confused_i = (off_i + SHARED / (K - 1)) / (off_i.sum(1, keepdims=True) + SHARED)
            for v in here:
                k = N[i, v]
                own = P[i] if v in counts else 0 * P[i]
                a = (right[v] - own[k] + VOICE * pool) / (said[v] - (v in counts) + VOICE)
                expected = (1 - a) * confused_i[:, k]
                expected[k] = a
                value[i] *= (count[v][:, k] - own + ROW * expected) / \
                    (count[v].sum(1) - own + ROW)
            for v in rules:
                k = N[i, v]
                if k < 0:
                    continue
                strength = STRENGTH * (heard.sum() - 1) / K
                p = (count[v][:, k] - P[i] + strength * rule_expected[v][:, k]) / \
                    (mass - P[i] + strength)
                value[i] *= p ** weight[v]
        total = value.sum(1)
        nk = known >= 0
        total[nk] = value[nk, known[nk]]
        log_likelihood = np.log(total[heard]).sum()
        P = value / value.sum(1, keepdims=True)
        P[nk] = np.eye(K)[known[nk]]
        P[~heard] = 0
        if abs(log_likelihood - last) <= TOLERANCE * heard.sum():
            break
        last = log_likelihood
    # what is shown of the voices is made of the last posteriors
    count = np.array([(P * (1.0 if rule[v] else cmp[:, None])).T @ Z[v] for v in range(V)])
    return P, log_likelihood, prior, w, weight, count


def make(seed, n, K, people, rules, shares):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, n)
    V = people + rules
    N = np.full((n, V), -1)
    rule = np.arange(V) >= people
    for v in range(people):
        skill = rng.uniform(0.5, 0.95)
        at = rng.random(n) < shares
        N[at, v] = np.where(rng.random(n) < skill, truth, rng.integers(0, K, n))[at]
    for r in range(rules):
        k = r % K
        at = rng.random(n) < np.where(truth == k, 0.5, 0.1)
        N[at, people + r] = k
    if rules > 2:
        N[:, V - 1] = N[:, people]
    known = np.where(rng.random(n) < 0.05, truth, -1)
    classifier = rng.dirichlet(np.ones(K), n) * 0.5
    guess = np.where(rng.random(n) < 0.45, truth, rng.integers(0, K, n))
    classifier[np.arange(n), guess] += 1.5
    classifier = (classifier / classifier.sum(1, keepdims=True)).astype(np.float32)
    classifier[rng.random(n) < 0.2] = np.nan
    return N, rule, known, classifier


def emit(name, a, form='%.17g', kind='double'):
    a = np.asarray(a).ravel()
    items = [(form % v).replace('nan', 'NAN') for v in a]
    print('static const %s %s[%d] = {' % (kind, name, len(items)))
    for i in range(0, len(items), 6):
        print('\t' + ', '.join(items[i:i + 6]) + ',')
    print('};\n')


print('/*\n * label_values.h\n *\t  Generated by make_label_values.py; do not edit.\n */')
for name, K, people, rules, classified in (('people', 3, 6, 0, False), ('all', 4, 4, 5, True)):
    n = 40
    N, rule, known, classifier = make(7, n, K, people, rules, 0.4)
    if not classified:
        classifier[:] = np.nan
    P, ll, prior, w, weight, count = fit(N, rule, K, known, classifier.astype(float))
    i, v = np.where(N >= 0)
    print('#define CASE_%s_ITEMS %d' % (name.upper(), n))
    print('#define CASE_%s_VOICES %d' % (name.upper(), people + rules))
    print('#define CASE_%s_CLASSES %d' % (name.upper(), K))
    print('#define CASE_%s_ANSWERS %d' % (name.upper(), len(i)))
    print('#define CASE_%s_LOG_LIKELIHOOD %.17g' % (name.upper(), ll))
    print('#define CASE_%s_CLASSIFIER_WEIGHT %.17g\n' % (name.upper(), w))
    emit('case_%s_item' % name, i, '%d', 'int')
    emit('case_%s_voice' % name, v, '%d', 'int')
    emit('case_%s_label' % name, N[i, v], '%d', 'int')
    emit('case_%s_rule' % name, rule, '%d', 'bool')
    emit('case_%s_known' % name, known, '%d', 'int')
    if classified:
        emit('case_%s_classifier' % name, classifier, '%.9g', 'float')
    emit('case_%s_posterior' % name, P)
    emit('case_%s_prior' % name, prior)
    emit('case_%s_weight' % name, weight)
    emit('case_%s_count' % name, count)
