#!/usr/bin/python3
"""Stored values for test_byte_pair.c and test_unigram.c.

usage: make_tokenizer_values.py > tokenizer_values.h

Vocabularies learned here from real text, and what plain tokenizers make of
texts with them.  Needs regex (python3-regex), which knows classes of
characters, and sentencepiece (python3-sentencepiece), which learns unigrams
and compiles rules of normalization.
"""
import io
import random
import tempfile
from collections import Counter

import regex
import sentencepiece

# The first article of the Universal Declaration of Human Rights
CORPUS = """
All human beings are born free and equal in dignity and rights. They are endowed with reason
and conscience and should act towards one another in a spirit of brotherhood.
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und
Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.
Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de
raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.
Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de
razón y conciencia, deben comportarse fraternalmente los unos con los otros.
Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и
совестью и должны поступать в отношении друг друга в духе братства.
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.
يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.
כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।
人人生而自由,在尊严和权利上一律平等。
すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
It's 1948; we're 30 articles, they've 2,000 words, and I'll say you don't, I'm sure he'd read it.
"""

# Classes of characters, ends of words and blanks in every constellation that matters
TEXTS = [t.encode() for t in [
    '', ' ', '  ', '\n', ' \n', '\n ', '\t\t\t', 'a', ' a', '  a', 'a ', 'a  ', 'a  b', 'a \n b',
    'a\n\nb', '\n\n b', '\tx', '\xa0x', ' \xa0 x', 'x\u3000\u3000y', 'x\u2028y \u1680z\x85w\x0b\x0cv',
    'a\x1cb\x1f c\x00d\x7f',
    "I'm we're they'll it's he'd can't I've", "'s 't 're 've 'm 'll 'd", "'S 'RE '", "''s", "!'s", " 's",
    "x'sy'tz", "'r", "'v", "'l", "' s", "\n's", 'don’t', "l'homme d'un",
    '3.14 1,000 ½ Ⅷ ٣٤ x2y 2nd', 'a_b __init__ a-b', '</s><s><mask> <unk>', 'Ġthe Ċ ¡Ā',
    'free and equal in dignity', 'FREE and Equal', 'Würde, Brüderlichkeit; égaux!', 'e\u0301 a\u0323\u0308 \u0301',
    'свобода и братство', 'ελεύθεροι', 'يولد جميعُ الناسِ', 'בְּרֵאשִׁית', 'स्वतन्त्रता क्षत्रिय', '人人生而自由', 'すべての人間は',
    '자유로우며 \u1112\u1161\u11ab', 'ภาษาไทยไม่มีช่องว่าง', '😀😀 👨\u200d👩\u200d👧 🇩🇪 x😀y', '\u0378 \ue000 \U000e0100 \U0010ffff \ufeff',
    '\U00020000\U0003134a \U00010330𝕏𝟗', '\u200b\u200d\u2060', 'a' * 300, ' ' * 300 + 'x', ' ' * 70, '\n' * 90 + 'y',
    '=-' * 150, '7' * 200, 'the ' * 60, '\u0301' * 100, 'aab' * 100, '.' * 64 + '?!' * 30,
]] + [
    # not UTF-8: alone, cut, surrogate, overlong, too large; bytes like others
    b'\xff\xfe a', b'a\xe4\xb8b', b'\xed\xa0\x80x', b'\xc0\xaf 1\x80', b'\xf4\x90\x80\x80', b'a\xe4', b'\xf0\x9f\x98 z',
    b' \xff', b"\xff's 5\xff5",
]


def random_texts(count):
    """Characters of all classes, in short runs, by chance."""
    rng = random.Random(14)
    kinds = ["  ' ", " \n\t\r", "abeinrst", "  aeioudnt", "ABE", "0123½", ".,;-_'\"", "'stmdrelv", "äéñ\u0301",
             "свобда", "يولد", "人自由", "😀✓€", "\xa0\u3000\x85"]
    return [''.join(''.join(rng.choice(kind) for _ in range(rng.randint(1, 5)))
                    for kind in rng.choices(kinds, k=rng.randint(1, 30))).encode() for _ in range(count)]


PATTERN = regex.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""")


def byte_characters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b if b in printable else next(others)) for b in range(256)]


CHARACTER = byte_characters()


def words(text, prefix_space):
    text = text.decode(errors='surrogateescape')
    if text and prefix_space and not text.startswith(' '):
        text = ' ' + text
    found = PATTERN.findall(text)
    assert ''.join(found) == text
    return [''.join(CHARACTER[b] for b in w.encode(errors='surrogateescape')) for w in found]


def merge(word, pair):
    """All of the pair in a word, from the left."""
    out, i = [], 0
    while i < len(word):
        if tuple(word[i:i + 2]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def learn_merges(count):
    counts = Counter(w for line in CORPUS.splitlines() for w in words(line.encode(), False))
    split = {w: list(w) for w in counts}
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for w, n in counts.items():
            for pair in zip(split[w], split[w][1:]):
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        split = {w: merge(s, best) for w, s in split.items()}
    return merges


def byte_pairs(word, rank):
    """As GPT-2's: the pair of the lowest rank, wherever it is, until there is none."""
    word = list(word)
    while True:
        pairs = [p for p in zip(word, word[1:]) if p in rank]
        if not pairs:
            return word
        word = merge(word, min(pairs, key=rank.get))


# Rules of normalization, as SentencePiece takes them: what becomes what
RULES = {
    '\t': ' ', '\n': ' ', '\r': ' ', '\xa0': ' ', '\u3000': ' ', '\u2028': ' ', '\u200b': '', '\xad': '',
    '\ufb01': 'fi', '½': '1\u20442', 'Ⅷ': 'VIII', 'e\u0301': 'é', 'a\u0308': 'ä', 'a\u0323\u0308': 'ạ\u0308',
    '\u1112\u1161': '하', '\u1112\u1161\u11ab': '한', '。': '.', '、': ',', '’': "'", '\ufdfa':
    'صلى الله عليه وسلم', '𝕏': 'X', '𝟗': '9', '\u0378': ' ? ',
}
UNIGRAM_TEXTS = [t.encode() for t in [
    'ﬁ ﬁnd of\xadﬁce', 'a▁b ▁c ▁▁d▁', '▁', 'a\u0308a\u0323\u0308a\u0323', 'x\ufdfax', '한하\u1112', '\u200b', ' \u200b ',
    'free\u3000and\xa0equal\u0378rights', '𐌰𐌱 x𐌰y𐌱𐌲z', '<s> </s><unk>', 'born born  born',
]]


def learn_unigrams(size):
    """The pieces that SentencePiece learns, with their scores, and its rules as it compiles them."""
    with tempfile.NamedTemporaryFile('w') as rules, io.BytesIO() as model:
        for key, value in RULES.items():
            rules.write('\t'.join(' '.join('%X' % ord(c) for c in s) for s in (key, value)) + '\n')
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.strip().splitlines()), model_writer=model, vocab_size=size,
            model_type='unigram', normalization_rule_tsv=rules.name, character_coverage=1.0,
            num_threads=1, minloglevel=2)
        data = model.getvalue()
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    pieces = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())
              if not processor.is_control(i) and not processor.is_unknown(i)]
    return processor, pieces, field(field(data, 3), 2)


def field(message, number):
    """The bytes of a field of a protocol buffer."""
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    at = 0
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            varint()
        elif key & 7 == 2:
            length = varint()
            at += length
            if key >> 3 == number:
                return message[at - length:at]
        else:
            at += {1: 8, 5: 4}[key & 7]
    raise KeyError(number)


def normalized(text):
    """The longest rule at each place; what is not UTF-8 is a space."""
    text = ''.join(' ' if '\udc80' <= c <= '\udcff' else c for c in text.decode(errors='surrogateescape'))
    longest, out, at = max(map(len, RULES)), [], 0
    while at < len(text):
        key = next((text[at:at + n] for n in range(longest, 0, -1) if text[at:at + n] in RULES), None)
        out.append(text[at] if key is None else RULES[key])
        at += len(key or ' ')
    return ''.join(out)


def best_way(word, score, unknown):
    """(sum of the scores, pieces), the first of equal ones by where the last piece begins."""
    best = [(0.0, [])]
    for end in range(1, len(word) + 1):
        ways = [(best[begin][0] + score[word[begin:end]], best[begin][1] + [word[begin:end]])
                for begin in range(end) if word[begin:end] in score]
        if word[end - 1] not in score:
            ways.append((best[end - 1][0] + unknown, best[end - 1][1] + [None]))
        best.append(max(ways, key=lambda way: way[0]))
    return best[-1][1]


def unigrams(text, score):
    out, unknown = [], min(score.values()) - 10
    for word in regex.split(r'\s+', normalized(text)):
        if word and word[0] != '▁':
            word = '▁' + word
        for part in regex.findall('▁[^▁]*', word):
            found = best_way(part, score, unknown)
            out += [p for i, p in enumerate(found) if p is not None or i == 0 or found[i - 1] is not None]
    return out


def check_unigrams(processor, text, found, score):
    """SentencePiece, where it has the same idea of a blank, gives the same, or what is as good."""
    if regex.search(r'▁|[\s--[ \t\n\r\xa0\u3000\u2028]]|\x00', text.decode(errors='replace'), regex.V1):
        return
    if b'\xef\xbf\xbd' in text or text.decode(errors='ignore').encode() != text:
        return
    expected = [p if not processor.is_unknown(processor.piece_to_id(p)) else None
                for p in processor.encode(text.decode(), out_type=str)]
    unknown = min(score.values()) - 10
    sums = [sum(unknown if p is None else score[p] for p in pieces) for pieces in (expected, found)]
    assert expected == found or abs(sums[0] - sums[1]) < 1e-3, (text, expected, found)


def c_string(data):
    return '"' + ''.join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else '\\%03o' % b
                         for b in data) + '"'


def wrapped(items, indent='\t'):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) > 96 and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += item + ', '
    return '\n'.join(lines + [line.rstrip(', ')])


def emit_texts(name, cases):
    """cases: (text, ids)"""
    ids = [i for _, found in cases for i in found]
    print('static const uint16_t %s_ids_of_texts[%d] = {\n%s\n};\n' % (name, len(ids), wrapped(map(str, ids))))
    print('static const TextValue %s_texts[%d] = {' % (name, len(cases)))
    print(wrapped('{%s, %d, %d}' % (c_string(text), len(text), len(found)) for text, found in cases) + '\n};\n')


def emit_byte_pairs():
    merges = learn_merges(400)
    pieces = ['<s>', '<pad>', '</s>', '<unk>'] + sorted(CHARACTER)
    for a, b in merges:
        pieces.append(a + b)
    pieces.append('<mask>')
    assert len(set(pieces)) == len(pieces)
    number = {p: i for i, p in enumerate(pieces)}
    rank = {m: i for i, m in enumerate(merges)}
    texts = TEXTS + random_texts(60) + [CORPUS.encode()]

    print('#define BYTE_PAIR_PIECES %d\n#define BYTE_PAIR_MERGES %d\n#define BYTE_PAIR_TEXTS %d\n'
          % (len(pieces), len(merges), len(texts)))
    print('/* By number */')
    print('static const char *const byte_pair_pieces[BYTE_PAIR_PIECES] = {\n%s\n};\n'
          % wrapped(c_string(p.encode()) for p in pieces))
    print('static const char *const byte_pair_merges[BYTE_PAIR_MERGES][2] = {\n%s\n};\n'
          % wrapped('{%s, %s}' % (c_string(a.encode()), c_string(b.encode())) for a, b in merges))
    for name, space in (('byte_pair', False), ('byte_pair_space', True)):
        emit_texts(name, [(t, [number[p] for w in words(t, space) for p in byte_pairs(w, rank)])
                          for t in texts])


def emit_unigrams():
    processor, pieces, rules = learn_unigrams(360)
    number = {p: i + 4 for i, (p, _) in enumerate(pieces)}  # behind <s>, <pad>, </s>, <unk>
    number[None] = 3
    score = dict(pieces)
    texts = TEXTS + UNIGRAM_TEXTS + random_texts(60) + [CORPUS.encode()]
    cases = []
    for text in texts:
        found = unigrams(text, score)
        check_unigrams(processor, text, found, score)
        cases.append((text, [number[p] for p in found]))

    print('#define UNIGRAM_PIECES %d\n#define UNIGRAM_FIRST 4\n#define UNIGRAM_UNKNOWN 3\n'
          '#define UNIGRAM_RULES %d\n#define UNIGRAM_TEXTS %d\n' % (len(pieces), len(rules), len(texts)))
    print('/* By number from UNIGRAM_FIRST on, and their scores */')
    print('static const char *const unigram_pieces[UNIGRAM_PIECES] = {\n%s\n};\n'
          % wrapped(c_string(p.encode()) for p, _ in pieces))
    print('static const double unigram_scores[UNIGRAM_PIECES] = {\n%s\n};\n'
          % wrapped(repr(s) for _, s in pieces))
    print('/* Rules of normalization, precompiled */')
    print('static const unsigned char unigram_rules[UNIGRAM_RULES] = {\n%s\n};\n' % wrapped(map(str, rules)))
    emit_texts('unigram', cases)


def main():
    print('''/*
 * tokenizer_values.h
 *	  Generated by make_tokenizer_values.py; do not edit.
 */
#include <stddef.h>
#include <stdint.h>

/* A text and how many pieces it has; their numbers follow those of the texts before */
typedef struct TextValue
{
	const char *text;
	size_t		length;
	size_t		pieces;
} TextValue;
''')
    emit_byte_pairs()
    emit_unigrams()


main()
