# A small transformer in the files of Hugging Face's Transformers, its weights at
# random: encoding takes as long as its size says, and is right or wrong as that of
# a real one.
package Transformer;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(write_transformer @transformer_words);

our @transformer_words = qw(please take back the shoes jacket lamp phone table books kettle where is parcel with was charged twice for order
	zero one two three four five six seven eight nine);

sub write_file
{
	my ($path, $bytes) = @_;

	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close($file) or die "$path: $!";
	return;
}

# Writes a directory for hl_import_encoder(path => ...).  Options: width (a multiple
# of 16), layers, positions, seed.
sub write_transformer
{
	my ($directory, %options) = @_;
	my ($width, $layers, $positions) = ($options{width} // 32, $options{layers} // 2, $options{positions} // 64);
	my @pieces = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', @transformer_words);
	my $wide = 4 * $width;
	my @tensors = (
		[ 'embeddings.word_embeddings.weight', scalar @pieces, $width ],
		[ 'embeddings.position_embeddings.weight', $positions, $width ],
		[ 'embeddings.token_type_embeddings.weight', 2, $width ],
		[ 'embeddings.LayerNorm.weight', $width ],
		[ 'embeddings.LayerNorm.bias', $width ]);
	my ($header, $data) = ('', '');

	for my $layer (0 .. $layers - 1)
	{
		for (
			(map { [ "attention.self.$_.weight", $width, $width ], [ "attention.self.$_.bias", $width ] } qw(query key value)),
			[ 'attention.output.dense.weight', $width, $width ], [ 'attention.output.dense.bias', $width ],
			[ 'attention.output.LayerNorm.weight', $width ], [ 'attention.output.LayerNorm.bias', $width ],
			[ 'intermediate.dense.weight', $wide, $width ], [ 'intermediate.dense.bias', $wide ],
			[ 'output.dense.weight', $width, $wide ], [ 'output.dense.bias', $width ],
			[ 'output.LayerNorm.weight', $width ], [ 'output.LayerNorm.bias', $width ])
		{
			my ($name, @shape) = @$_;
			push @tensors, [ "encoder.layer.$layer.$name", @shape ];
		}
	}
	srand($options{seed} // 1);
	for (@tensors)
	{
		my ($name, @shape) = @$_;
		my $begin = length $data;
		my $n = 1;

		$n *= $_ for @shape;
		# norms are about 1, all else about 0
		$data .= pack('f<*', map { ($name =~ /LayerNorm.weight/ ? 1 : 0) + (rand() - 0.5) * ($name =~ /word_emb/ ? 2 : 0.2) } 1 .. $n);
		$header .= sprintf('%s"%s": {"dtype": "F32", "shape": [%s], "data_offsets": [%d, %d]}', $header eq '' ? '' : ', ', $name, join(', ', @shape), $begin, length $data);
	}
	$header = "{$header}";
	$header .= ' ' x (-length($header) % 8);
	mkdir $directory or die "$directory: $!";
	write_file("$directory/model.safetensors", pack('Q<', length $header) . $header . $data);
	write_file("$directory/vocab.txt", join('', map { "$_\n" } @pieces));
	write_file("$directory/config.json", sprintf('{"model_type": "bert", "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d, "intermediate_size": %d, "vocab_size": %d, "max_position_embeddings": %d, "type_vocab_size": 2, "layer_norm_eps": 1e-12}',
		$width, $layers, $width / 16, $wide, scalar @pieces, $positions));
	return;
}

1;
