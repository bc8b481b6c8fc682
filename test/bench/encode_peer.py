"""The peer of test/bench/encode.c: PyTorch on one thread, the forward pass of BERT as
it is usually written, with weights in single precision.

usage: encode_peer.py MODEL.safetensors CONFIG.json TOKENS [BATCH ...]
TOKENS has the numbers of a text's tokens a line, so that no time is spent on making
them.  Prints, for each BATCH (32) and order of the texts, "given" and "sorted" by
length, "ORDER BATCH TEXTS-A-SECOND"; seconds are those of the processor.  At first
"vector" and the numbers of the first text's, to compare."""
import json
import sys
import time

import numpy as np
import torch
from torch.nn import functional


def read_tensors(path):
    with open(path, 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
        data = file.read()
    tensors = {}
    for name, tensor in header.items():
        if name != '__metadata__' and tensor['dtype'] == 'F16':
            begin, end = tensor['data_offsets']
            values = np.frombuffer(data[begin:end], '<f2').astype(np.float32)
            tensors[name] = torch.from_numpy(values.reshape(tensor['shape']))
    return tensors


class Bert:
    def __init__(self, tensors, config):
        self.tensors = tensors
        self.config = config

    def linear(self, x, name):
        return functional.linear(x, self.tensors[name + '.weight'], self.tensors[name + '.bias'])

    def norm(self, x, name):
        return functional.layer_norm(x, x.shape[-1:], self.tensors[name + '.weight'],
                                     self.tensors[name + '.bias'], self.config['layer_norm_eps'])

    def layer(self, x, mask, name):
        rows, tokens, width = x.shape
        heads = self.config['num_attention_heads']
        q, k, v = (self.linear(x, '%s.attention.self.%s' % (name, part))
                   .view(rows, tokens, heads, width // heads).transpose(1, 2)
                   for part in ('query', 'key', 'value'))
        scores = q @ k.transpose(2, 3) / (width // heads) ** 0.5 + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, tokens, width)
        x = self.norm(x + self.linear(mixed, name + '.attention.output.dense'),
                      name + '.attention.output.LayerNorm')
        inner = functional.gelu(self.linear(x, name + '.intermediate.dense'))
        return self.norm(x + self.linear(inner, name + '.output.dense'),
                         name + '.output.LayerNorm')

    def encode(self, texts):
        longest = max(map(len, texts))
        ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
        there = torch.tensor([[1.0] * len(text) + [0.0] * (longest - len(text))
                              for text in texts])
        mask = (1.0 - there)[:, None, None, :] * torch.finfo(torch.float32).min
        words, positions, types = (self.tensors['embeddings.%s_embeddings.weight' % name]
                                   for name in ('word', 'position', 'token_type'))
        x = self.norm(words[ids] + positions[:longest] + types[0], 'embeddings.LayerNorm')
        for i in range(self.config['num_hidden_layers']):
            x = self.layer(x, mask, 'encoder.layer.%d' % i)
        sums = (x * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        return functional.normalize(sums)


def main():
    torch.set_num_threads(1)
    model = Bert(read_tensors(sys.argv[1]), json.load(open(sys.argv[2], encoding='utf-8')))
    texts = [[int(number) for number in line.split()] for line in open(sys.argv[3])]
    orders = {'given': texts, 'sorted': sorted(texts, key=len, reverse=True)}
    with torch.inference_mode():
        print('vector', *('%.6f' % number for number in model.encode(texts[:1])[0].tolist()))
        for batch in map(int, sys.argv[4:] or ['32']):
            for order, rows in orders.items():
                start = time.process_time()
                for i in range(0, len(rows), batch):
                    model.encode(rows[i:i + batch])
                print('%s %d %.1f' % (order, batch, len(rows) / (time.process_time() - start)))


main()
