#!/usr/bin/python3
"""Writes words_values.h, the stored values of test_words.c, into the folder of
this script.

Needs numpy and a Python whose unicodedata has the Unicode version of
src/encode/unicode_tables.h.  How texts are cut into words, the weights of
words and what texts have in common are written anew here, from their
description and not from the C code.
"""
import os
import re
import unicodedata

import numpy as np

assert unicodedata.unidata_version == '14.0.0'
DIMS = 37

# by falling frequency, as files have them
VOCABULARY = [
    'the', ',', '.', 'to', 'and', 'i', 'it', "'s", 'is', 'card', "n't", 'do', 'my', 'not',
    'IT', 'Paris', 'New', 'york', 'u.s.', 'ca', '2.5', '####', '42', 'high-quality', 'high',
    "don't", 'straße', 'Ångström', 'na\u00efve', '\u9280\u884c', '\u884c', '\u6771\u4eac', '\u6771',
    '\u30ab\u30fc\u30c9', '\U0001f600', ':)', "rock'n'roll", 'bank_card', 'e-mail', 'mail',
    "o\u2019clock", 'co\u00adop', '\u0e1a\u0e31\u0e15\u0e23', '\ufb01ne', 'ΟΔΟΣ', '\u06a9\u200c\u0627',
]

TEXTS = [
    'The card, and my CARD.',
    "It's IT! it is not It",
    "I do n't, I don't; can't won't DON'T",
    'I can\u2019t: it\u2019s o\u2019clock, o\'clock and O\u2019Clock don\u2019t',
    'U.S. and u.s. in paris, PARIS and New York (new york)',
    '2.5 25 1987 42 421 4 1.987',
    'high-quality high-Quality HIGH quality high--quality mail-e e-mail,e-mail',
    'STRASSE strasse Stra\u00dfe stra\u1e9ee',
    'na\u00efve nai\u0308ve NA\u00cfVE \u00e5ngstr\u00f6m A\u030angstro\u0308m \u212bngstr\u00f6m',
    '\u6771\u4eac\u9280\u884c\u884c \u9280 \u6771\u6771\u4eac\u306e',
    '\u30ab\u30fc\u30c9\u3068 \uff76\uff70\uff84\uff9e',
    '\U0001f600\U0001f600 :) :-) (:) \U0001f44d',
    "rock'n'roll ROCK\u2019N\u2019ROLL rock n roll n't xn't",
    'bank_card bank card_bank \uff43\uff41\uff52\uff44',
    'coop co\u00adop CO\u00adOP \ufb01ne fine FINE',
    '\u0e1a\u0e31\u0e15\u0e23\u0e1a\u0e31\u0e15\u0e23 \u03bf\u03b4\u03cc\u03c2 \u03bf\u03b4\u03bf\u03c3 \u06a9\u200c\u0627 \u06a9\u0627',
    '', ' \t\n', '. , !', 'zzz yyy',
    'the\u00a0card\u2003the\x00card\x85my',
    'the to and is', 'my my my my card',
    'thethe ' * 3 + 'x' * 300 + ' the.card',
]

UNSPACED = re.compile('[\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46'
                      '\U0001f600\U0001f44d]')
IGNORABLE = '[\u00ad\u200b-\u200f\ufe00-\ufe0f]'


def fold(text):
    nf = unicodedata.normalize
    text = re.sub(IGNORABLE, '', text)
    text = nf('NFC', nf('NFKC', nf('NFKC', nf('NFD', text).casefold()).casefold()))
    return text.replace('\u2019', "'")


def tokens(chunk):
    """Runs of letters, numbers and marks, n't, and single characters."""
    found, run = [], False
    i = 0
    while i < len(chunk):
        c = chunk[i]
        category = unicodedata.category(c)
        inside = category[0] in 'LNM' or category == 'Pc'
        inside = inside and not UNSPACED.match(c)
        if re.match("[nN]['\u2019][tT](?![^\\W])", chunk[i:]):
            found.append(chunk[i:i + 3])
            i, run = i + 3, False
            continue
        if found and (category[0] == 'M' or run and inside):
            found[-1] += c
        else:
            found.append(c)
            run = bool(inside)
        i += 1
    return found


def words(text):
    written = {w: i for i, w in reversed(list(enumerate(VOCABULARY)))}
    folded = {fold(w): i for i, w in reversed(list(enumerate(VOCABULARY)))}
    found = []
    for chunk in re.split('[\\s\x00-\x1f\x7f-\x9f]+', text):
        chunk = [t for k in range(0, len(chunk), 128) for t in tokens(chunk[k:k + 128])]
        i = 0
        while i < len(chunk):
            step, word = 1, None
            for j in range(min(8, len(chunk) - i), 0, -1):
                whole = ''.join(chunk[i:i + j])
                if not any(unicodedata.category(c)[0] in 'LNM' or unicodedata.category(c) == 'Pc' or
                           UNSPACED.match(c) for c in whole):
                    continue
                word = written.get(whole)
                if word is None:
                    word = written.get(fold(whole), folded.get(fold(whole)))
                if word is not None:
                    step = j
                    break
            if word is None and re.fullmatch('[0-9]{2,}', chunk[i]):
                word = written.get('#' * len(chunk[i]))
            if word is not None:
                found.append(word)
            i += step
    return found


def vectors():
    """Numbers of eight bits, the same as the C side's."""
    i = np.arange(len(VOCABULARY) * DIMS, dtype=np.uint64)
    bits = (i * np.uint64(2654435761) % np.uint64(2**32)) >> np.uint64(24)
    return (bits.astype(float) - 100).reshape(-1, DIMS) / 64


def weights(texts, a, ranked):
    count = np.bincount(sum(texts, []), minlength=len(VOCABULARY)).astype(float)
    p = count / count.sum()
    if ranked:
        zipf = 1 / (np.arange(1, len(VOCABULARY) + 1) * (np.log(len(VOCABULARY)) + np.euler_gamma))
        p = np.minimum((count + 1000 * zipf) / (count.sum() + 1000), zipf)
    return a / (a + p)


def unit(X):
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def c_string(text):
    return '"' + ''.join('\\%03o' % b if b >= 127 or b < 32 or chr(b) in '"\\?' else chr(b)
                         for b in text.encode()) + '"'


def numbers(values, form):
    lines, line = [], '\t'
    for value in values:
        item = form % value + ', '
        if len(line) + len(item) > 76:
            lines.append(line.rstrip())
            line = '\t'
        line += item
    return '\n'.join(lines + [line.rstrip(', ')])


def main():
    texts = [words(t) for t in TEXTS]
    V = vectors()
    means = lambda w: np.array([(w[t, None] * V[t]).mean(0) if t else np.zeros(DIMS) for t in texts])
    plain = np.ones(len(V))
    own, ranked = weights(texts, 1e-2, False), weights(texts, 1e-3, True)
    Z = means(own)
    common = np.linalg.svd(Z)[2][0]
    common *= np.sign(common @ Z.mean(0))
    without = Z - np.outer(Z @ common, common)
    starts = np.cumsum([0] + [len(t) for t in texts])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'words_values.h')
    with open(path, 'w') as f:
        f.write('/*\n * words_values.h\n *\t  Generated by make_words_values.py; do not edit.\n */\n')
        f.write('#define WORDS_DIMS %d\n#define VOCABULARY_WORDS %d\n#define WORD_TEXTS %d\n\n'
                % (DIMS, len(VOCABULARY), len(TEXTS)))
        f.write('static const char *const vocabulary_words[VOCABULARY_WORDS] = {\n%s\n};\n\n'
                % ',\n'.join('\t' + c_string(w) for w in VOCABULARY))
        f.write('typedef struct WordText\n{\n\tconst char *text;\n\tsize_t\t\tlength;\n} WordText;\n\n')
        f.write('static const WordText word_texts[WORD_TEXTS] = {\n%s\n};\n\n'
                % ',\n'.join('\t{%s, %d}' % (c_string(t), len(t.encode())) for t in TEXTS))
        f.write('/* words of text i: from text_start[i] on */\n'
                'static const int text_start[WORD_TEXTS + 1] = {\n%s\n};\n\n' % numbers(starts, '%d'))
        f.write('static const uint32_t text_word[%d] = {\n%s\n};\n\n'
                % (starts[-1], numbers(sum(texts, []), '%d')))
        f.write('/* of each word: a = 0.01 from the texts alone; a = 0.001 with places */\n')
        for name, w in (('own_weight', own), ('ranked_weight', ranked)):
            f.write('static const double %s[VOCABULARY_WORDS] = {\n%s\n};\n\n'
                    % (name, numbers(w, '%.8g')))
        f.write('static const double common_direction[WORDS_DIMS] = {\n%s\n};\n\n'
                % numbers(common, '%.8g'))
        f.write('/* vectors of the texts: plain, with each weights, and with the first and\n'
                ' * without what is common */\n')
        for name, X in (('plain_mean', means(plain)), ('own_mean', means(own)),
                        ('ranked_mean', means(ranked)), ('without_common', without)):
            f.write('static const double %s[WORD_TEXTS][WORDS_DIMS] = {\n%s\n};\n%s'
                    % (name, ',\n'.join('\t{\n%s\n\t}' % numbers(x, '%.6f') for x in unit(X)),
                       '' if name == 'without_common' else '\n'))


main()
