#!/usr/bin/python3
"""Writes corpus_values.h, encode_values.h and svd_values.h, the stored values of
the tests of src/encode, into the folder of this script.

Needs numpy, scikit-learn, and a Python whose unicodedata has the Unicode
version of src/encode/unicode_tables.h.  Folding, words, pieces and hashes are
written anew here, from their description and not from the C code; TF-IDF
weights are scikit-learn's.
"""
import os
import re
import unicodedata

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

assert unicodedata.unidata_version == '14.0.0'
MASK = (1 << 64) - 1
SVD_VECTORS = 5

CORPUS = [
    'My card has not arrived yet, where is my CARD?',
    'Where is my new card? It has not arrived.',
    'Straße und STRASSE sind gleich; die Straßen auch.',
    'Die Strasse ist lang, und die Straßen sind lang.',
    '\u0130stanbul ve \u0130zmir g\u00fczel \u015fehirler',
    'I\u0307stanbul gu\u0308zel bir s\u0327ehir',
    '\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2 \u03c3\u03bf\u03c6\u03af\u03b1',
    '\u039f\u03b4\u03cc\u03c2 \u03a3\u03bf\u03c6\u03af\u03b1\u03c2 \u03bf\u03b4\u03cc\u03c3',
    '\u6211\u7684\u94f6\u884c\u5361\u8fd8\u6ca1\u6709\u5230\u3002',
    '\u94f6\u884c\u5361\u5728\u54ea\u91cc\uff1f\u6211\u7684\u5361',
    '\u30ab\u30fc\u30c9\u304c\u5c4a\u304d\u307e\u305b\u3093',
    '\u65b0\u3057\u3044\uff76\uff70\uff84\uff9e\u304c\u5c4a\u304d\u307e\u3057\u305f',
    '\u0e1a\u0e31\u0e15\u0e23\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19\u0e22\u0e31\u0e07\u0e44\u0e21\u0e48\u0e21\u0e32',
    '\u0e09\u0e31\u0e19\u0e22\u0e31\u0e07\u0e44\u0e21\u0e48\u0e44\u0e14\u0e49\u0e23\u0e31\u0e1a\u0e1a\u0e31\u0e15\u0e23',
    '\u0645\u062a\u0649 \u062a\u0635\u0644 \u0628\u0637\u0627\u0642\u062a\u064a\u061f',
    '\u0644\u0645 \u062a\u0635\u0644 \u0628\u0637\u0627\u0642\u062a\u064a \u0628\u0639\u062f',
    '\uce74\ub4dc\uac00 \uc544\uc9c1 \uc548 \uc654\uc5b4\uc694',
    '\u110f\u1161\u1103\u1173\u1100\u1161 \u110b\u1165\u1103\u1175 \uc654\uc5b4\uc694',
    '\U0001f600\U0001f600 great card \U0001f44d\U0001f3fd',
    'great \U0001f600 \u2764\ufe0f card_number 12345 a b c',
    'ﬁne \uff23\uff21\uff32\uff24 x\u00b2 n\u00famero nu\u0301mero co\u00adoperate cooperate',
    'fine card x2 nu\u0301mero cooperate zzz zzz zzz zzz',
]

IGNORABLE = '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f' \
    '\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8]'
# Han, Hiragana, Thai and, of the pictographs, those of the corpus
UNSPACED = re.compile('[\u3041-\u3096\u309d\u309e\u3400-\u4dbf\u4e00-\u9fff\u3005\u3007'
                      '\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\U0001f600\U0001f44d\u2764]')


def fold(text):
    nf = unicodedata.normalize
    text = re.sub(IGNORABLE, '', text)
    return nf('NFC', nf('NFKC', nf('NFKC', nf('NFD', text).casefold()).casefold()))


def words(text):
    """Words in order: runs, or single characters of unspaced scripts."""
    found, run, unspaced = [], '', False

    def end():
        if unspaced and run or len(run) >= 2:
            found.append(run)

    for c in fold(text):
        category = unicodedata.category(c)
        if UNSPACED.match(c):
            end()
            run, unspaced = c, True
        elif category[0] == 'M' and run:
            run += c
        elif category[0] in 'LNM' or category == 'Pc':
            if unspaced:
                end()
                run, unspaced = '', False
            run += c
        else:
            end()
            run, unspaced = '', False
    end()
    return found


def step(h, value):
    h = (h ^ value) * 0x9FB21C651E98DF25 & MASK
    return h ^ h >> 32


def finish(h, kind):
    h = (h ^ h >> 29) * 0xD6E8FEB86659FD93 & MASK
    h ^= h >> 32
    return h & ~1 | kind


def chain(seed, values):
    for value in values:
        seed = step(seed, value)
    return seed


def word_terms(text):
    state = [chain(0x6A09E667F3BCC909, map(ord, w)) for w in words(text)]
    pairs = [chain(0xBB67AE8584CAA73B, p) for p in zip(state, state[1:])]
    return [finish(h, 0) for h in state + pairs]


def piece_terms(text):
    found = []
    for chunk in fold(text).split():
        chunk = ' ' + chunk + ' '
        for n in (3, 4, 5):
            for i in range(len(chunk) - n + 1):
                found.append(finish(chain(0x3C6EF372FE94F82B, map(ord, chunk[i:i + n])), 1))
    return found


def c_string(text):
    return '"' + ''.join('\\x%02x""' % b if b >= 127 or b < 32 or chr(b) in '"\\?' else chr(b)
                         for b in text.encode()) + '"'


def weights():
    """Per row: (hash, count, weight), and the idf of every term."""
    rows = [[] for _ in CORPUS]
    idf = {}
    for analyzer in (word_terms, piece_terms):
        vectorizer = TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, min_df=2,
                                     max_df=len(CORPUS) - 1)
        X = vectorizer.fit_transform(CORPUS).tocoo()
        names = vectorizer.get_feature_names_out()
        idf.update(zip(map(int, names), vectorizer.idf_))
        for i, j, weight in zip(X.row, X.col, X.data):
            count = analyzer(CORPUS[i]).count(names[j])
            rows[i].append((int(names[j]), count, weight))
    return rows, idf


def matrix():
    """60 x 40, one entry in three, singular values falling by half a step."""
    r = np.random.RandomState(3)
    U = np.linalg.qr(r.randn(60, 40))[0]
    V = np.linalg.qr(r.randn(40, 40))[0]
    return np.float32((U * 2.0 ** -np.arange(40.0)) @ V.T * (r.rand(60, 40) < 0.35))


def numbers(values, form):
    lines, line = [], '\t'
    for value in values:
        item = form % value + ', '
        if len(line) + len(item) > 76:
            lines.append(line.rstrip())
            line = '\t'
        line += item
    return '\n'.join(lines + [line.rstrip(', ')])


def header(name, *parts):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, 'w') as f:
        f.write('/*\n * %s\n *\t  Generated by make_encode_values.py; do not edit.\n */\n' % name)
        f.write('\n\n'.join(parts) + '\n')


def main():
    rows, idf = weights()
    starts = np.cumsum([0] + [len(r) for r in rows])
    A = matrix()
    _, values, V = np.linalg.svd(A.astype(float))
    header('corpus_values.h',
           '#define CORPUS_ROWS %d\n#define CORPUS_TERMS %d' % (len(CORPUS), len(idf)),
           'static const char *const corpus[CORPUS_ROWS] = {\n'
           + ',\n'.join('\t' + c_string(t) for t in CORPUS) + '\n};')
    header('encode_values.h',
           'typedef struct TermValue\n{\n\tuint64_t\thash;\n\tint\t\t\tcount;\n'
           '\tdouble\t\tweight;\n} TermValue;',
           'typedef struct IdfValue\n{\n\tuint64_t\thash;\n\tdouble\t\tidf;\n} IdfValue;',
           '/* terms of row i: from row_start[i] on */\n'
           'static const int row_start[CORPUS_ROWS + 1] = {\n%s\n};' % numbers(starts, '%d'),
           'static const TermValue row_terms[%d] = {\n' % starts[-1]
           + ',\n'.join('\t{UINT64_C(0x%016x), %d, %.9f}' % t for r in rows for t in sorted(r))
           + '\n};',
           'static const IdfValue corpus_idf[CORPUS_TERMS] = {\n'
           + ',\n'.join('\t{UINT64_C(0x%016x), %.9f}' % t for t in sorted(idf.items())) + '\n};')
    header('svd_values.h',
           '#define SVD_ROWS %d\n#define SVD_COLUMNS %d\n#define SVD_VECTORS %d'
           % (*A.shape, SVD_VECTORS),
           'static const float svd_matrix[SVD_ROWS * SVD_COLUMNS] = {\n%s\n};'
           % numbers(A.ravel(), '%.9g'),
           '/* singular values, and the first right singular vectors, one a row */\n'
           'static const double svd_values[SVD_COLUMNS] = {\n%s\n};' % numbers(values, '%.10g'),
           'static const double svd_vectors[SVD_VECTORS * SVD_COLUMNS] = {\n%s\n};'
           % numbers(V[:SVD_VECTORS].ravel(), '%.10g'))


main()
