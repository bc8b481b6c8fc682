#!/usr/bin/python3
"""Stored values for test_agreement.c.

usage: make_agreement_values.py > agreement_values.h

Random tables of answers with gaps, and what coefficients of agreement are of
them by their textbook definitions: from the coincidence matrix, from the table of
counts, from a pair's contingency table (scikit-learn).  The intervals are
bootstraps with numpy's random numbers, and so agree but for chance.
"""
import numpy as np

ITEMS, ANNOTATORS, CLASSES, REPLICATES = 60, 5, 4, 4000


def alpha(rows, classes):
    """Krippendorff's alpha from the coincidence matrix."""
    o = np.zeros((classes, classes))
    for row in rows:
        if len(row) < 2:
            continue
        for i in range(len(row)):
            for j in range(len(row)):
                if i != j:
                    o[row[i], row[j]] += 1 / (len(row) - 1)
    n_c = o.sum(0)
    n = n_c.sum()
    observed = o.sum() - np.trace(o)
    expected = (n * n - (n_c ** 2).sum()) / (n - 1)
    return 1 - observed / expected


def fleiss(rows, classes):
    counts = np.array([np.bincount(r, minlength=classes) for r in rows if len(r) > 1], float)
    m = counts.sum(1)
    agree = ((counts * (counts - 1)).sum(1) / (m * (m - 1))).mean()
    chance = ((counts / m[:, None]).mean(0) ** 2).sum()
    return (agree - chance) / (1 - chance)


def cohen(x, y, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (x, y), 1 / len(x))
    chance = table.sum(1) @ table.sum(0)
    return (np.trace(table) - chance) / (1 - chance)


def wilson(hits, n, z=1.959963984540054):
    p = hits / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def emit(name, a, kind):
    a = np.asarray(a).ravel()
    print('static const %s %s[%d] = {' % (kind, name, len(a)))
    form = '%d' if kind == 'int' else '%.17g'
    for i in range(0, len(a), 12 if kind == 'int' else 5):
        print('\t' + ', '.join(form % v for v in a[i:i + (12 if kind == 'int' else 5)]) + ',')
    print('};\n')


rng = np.random.default_rng(7)
truth = rng.integers(0, CLASSES, ITEMS)
item, annotator, label = [], [], []
for i in range(ITEMS):
    for a in range(ANNOTATORS):
        if rng.random() < 0.55:
            right = rng.random() < 0.5 + 0.1 * a
            item.append(i)
            annotator.append(a)
            label.append(truth[i] if right else rng.integers(0, CLASSES))
item, annotator, label = map(np.array, (item, annotator, label))
rows = [label[item == i] for i in range(ITEMS)]
paired = [r for r in rows if len(r) > 1]

figures = [alpha(rows, CLASSES), fleiss(rows, CLASSES)]
figures += [alpha([(r == k).astype(int) for r in rows], 2) for k in range(CLASSES)]
draws = []
for _ in range(REPLICATES):
    drawn = [paired[i] for i in rng.integers(0, len(paired), len(paired))]
    draws.append([alpha(drawn, CLASSES), fleiss(drawn, CLASSES)] +
                 [alpha([(r == k).astype(int) for r in drawn], 2) for k in range(CLASSES)])
low, high = np.percentile(draws, [2.5, 97.5], axis=0)

pairs = []
for a in range(ANNOTATORS):
    for b in range(a + 1, ANNOTATORS):
        common = np.intersect1d(item[annotator == a], item[annotator == b])
        x = np.array([label[(item == i) & (annotator == a)][0] for i in common])
        y = np.array([label[(item == i) & (annotator == b)][0] for i in common])
        chance = sum((x == k).mean() * (y == k).mean() for k in range(CLASSES))
        lo, hi = wilson((x == y).sum(), len(x))
        pairs += [cohen(x, y, CLASSES), (lo - chance) / (1 - chance),
                  (hi - chance) / (1 - chance), len(x)]

print('/* Made by make_agreement_values.py. */\n')
for name in ('ITEMS', 'ANNOTATORS', 'CLASSES'):
    print('#define VALUES_%s %d' % (name, globals()[name]))
print('#define VALUES_ANSWERS %d' % len(item))
print('#define VALUES_PAIRED %d\n' % len(paired))
emit('values_item', item, 'int')
emit('values_annotator', annotator, 'int')
emit('values_label', label, 'int')
print('/* alpha, Fleiss\' kappa, alpha of each class */')
emit('values_figure', figures, 'double')
emit('values_low', low, 'double')
emit('values_high', high, 'double')
print('/* of each pair: Cohen\'s kappa, low, high, items */')
emit('values_pair', pairs, 'double')
