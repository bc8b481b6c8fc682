"""The peer of the bench: scikit-learn's TfidfVectorizer (word 1-2-grams and
char_wb 3-5-grams) with LogisticRegression(C=30), on one BLAS thread.

usage: peer.py DATA.csv (columns id, split, text, label)
Prints seconds to fit, seconds to predict the training rows from their text,
and the accuracy on the test rows, separated by blanks."""
import csv
import sys
import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

rows = list(csv.DictReader(open(sys.argv[1], encoding='utf-8')))
train = [r for r in rows if r['split'] == 'train']
test = [r for r in rows if r['split'] == 'test']
texts = [r['text'] for r in train]
model = make_pipeline(
    make_union(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
               TfidfVectorizer(analyzer='char_wb', ngram_range=(3, 5), sublinear_tf=True, min_df=2)),
    LogisticRegression(C=30, max_iter=1000))
start = time.perf_counter()
model.fit(texts, [r['label'] for r in train])
fitted = time.perf_counter() - start
seconds = []
for _ in range(5):
    start = time.perf_counter()
    model.predict_proba(texts)
    seconds.append(time.perf_counter() - start)
accuracy = (model.predict([r['text'] for r in test]) == np.array([r['label'] for r in test])).mean()
print('%.3f %.4f %.4f' % (fitted, sorted(seconds)[2], accuracy))
