#!/usr/bin/perl
#
# unicode_tables.pl
#	  Generates unicode_tables.h: perl unicode_tables.pl > unicode_tables.h
#
# Stored encoders depend on every value in these tables: a change of the
# Unicode version changes the features of stored text.  So the version is
# pinned, and another one would need a new version number of the stored form.
#
use strict;
use warnings;
use feature 'unicode_strings';	# or lc leaves Latin-1 alone
use Unicode::UCD qw(prop_invmap);
use Unicode::Normalize qw(NFC NFD getCombinClass getComposite);

my $version = '14.0.0';
my $end = 0x32000;		# no mapping, mark or script of interest beyond
my $shift = 7;

die "needs a perl with Unicode $version\n"
  unless Unicode::UCD::UnicodeVersion() eq $version;

# Scripts written without spaces between words; a character (with its marks)
# is a word there.  Katakana is not among them: a run of it is one loanword.
my $unspaced = qr/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Yi}\p{Script=Tai_Le}\p{Script=New_Tai_Lue}\p{Script=Tai_Tham}\p{Script=Tai_Viet}\p{Script=Balinese}\p{Script=Javanese}]/;

sub class_of
{
	my ($char) = @_;

	return 'CLASS_SPACE' if $char =~ /[\p{White_Space}\p{Cc}]/;
	return 'CLASS_MARK' if $char =~ /\p{M}/;
	return 'CLASS_NUMBER' if $char =~ /\p{N}/;
	return 'CLASS_UNSPACED' if $char =~ /\p{L}/ && $char =~ $unspaced;
	return 'CLASS_LETTER' if $char =~ /[\p{L}\p{Pc}]/;
	return 'CLASS_UNSPACED' if $char =~ /\p{ExtPict}/ && $char =~ /\p{So}/ && $char =~ /\p{Assigned}/;
	return 'CLASS_OTHER';
}

# The NFKC_Casefold mapping of every code point, in canonical decomposition.
my ($starts, $maps, undef, undef) = prop_invmap('NFKC_Casefold');

sub is_surrogate { return $_[0] >= 0xD800 && $_[0] < 0xE000; }
sub is_hangul { return $_[0] >= 0xAC00 && $_[0] <= 0xD7A3; }

my @fold;
for my $i (0 .. $#$starts)
{
	my $last = $i < $#$starts ? $starts->[ $i + 1 ] - 1 : 0x10FFFF;
	my $map = $maps->[$i];

	for my $cp ($starts->[$i] .. $last)
	{
		next if $cp >= 0xE0000 && $cp < 0xE1000;	# ignorable, by range in the code
		next if is_surrogate($cp);
		my $to;

		# a number is the mapping of the first code point of the range ("a")
		if (ref $map) { $to = [@$map]; }
		elsif ($map eq '') { $to = []; }
		elsif ($map eq '0') { $to = [$cp]; }
		else { $to = [ $map + $cp - $starts->[$i] ]; }
		next if is_hangul($cp);
		my $text = NFD(join '', map { chr } @$to);
		next if $text eq chr $cp;
		die sprintf("mapping of %x beyond the table\n", $cp) if $cp >= $end;
		$fold[$cp] = $text;
	}
}

# Distinct properties (mapping, class, combining class) and what they share
my (@pool, %pool_at, @records, %record_at, @record_of);
for my $cp (0 .. $end - 1)
{
	my $char = chr $cp;
	my ($length, $at) = (1, 0);		# maps to itself: offset 0
	my $class = is_surrogate($cp) ? 'CLASS_SPACE' : class_of($char);
	my $combining = is_surrogate($cp) ? 0 : getCombinClass($cp);
	my $key;

	if (defined $fold[$cp])
	{
		my $text = $fold[$cp];

		$length = length $text;
		if (!exists $pool_at{$text})
		{
			push @pool, 0 unless @pool;		# offset 0 is "itself"
			$pool_at{$text} = @pool;
			push @pool, map { ord } split //, $text;
		}
		$at = $pool_at{$text};
	}
	$key = "{$at, $length, $combining, $class}";
	if (!exists $record_at{$key})
	{
		$record_at{$key} = @records;
		push @records, $key;
	}
	$record_of[$cp] = $record_at{$key};
}

# Two-level table: equal blocks are stored once
my (@blocks, %block_at, @block_of);
my $size = 1 << $shift;
for (my $cp = 0; $cp < $end; $cp += $size)
{
	my $key = join ', ', @record_of[ $cp .. $cp + $size - 1 ];

	if (!exists $block_at{$key})
	{
		$block_at{$key} = @blocks;
		push @blocks, $key;
	}
	push @block_of, $block_at{$key};
}

# What tokenizers of pretrained encoders ask: their texts were not folded.
sub general_of
{
	my ($char) = @_;

	return 'GENERAL_SPACE' if $char =~ /[\t\n\r]/;
	return 'GENERAL_CONTROL' if $char =~ /[\p{Cc}\p{Cf}\p{Co}]/;
	return 'GENERAL_SPACE' if $char =~ /\p{White_Space}/;
	return 'GENERAL_MARK' if $char =~ /\p{Mn}/;
	return 'GENERAL_PUNCTUATION' if $char =~ /\p{P}|[\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]/;
	return 'GENERAL_OTHER';
}

my (@plain_pool, @plain_records, %plain_record_at, @plain_record_of);
for my $cp (0 .. $end - 1)
{
	my $char = chr $cp;
	my ($length, $at, $lower, $general) = (1, 0, 0, 'GENERAL_CONTROL');

	if (!is_surrogate($cp))
	{
		my $text = is_hangul($cp) ? $char : NFD($char);	# Hangul by the code

		if ($text ne $char)
		{
			push @plain_pool, 0 unless @plain_pool;		# offset 0 is "itself"
			($length, $at) = (length $text, scalar @plain_pool);
			push @plain_pool, map { ord } split //, $text;
		}
		# only the dotted capital I has two, which the code knows
		$lower = ord(lc $char) - $cp;
		die sprintf("two small letters of %x\n", $cp) if length lc $char > 1 && $cp != 0x130;
		$general = general_of($char);
	}
	my $key = "{$at, $length, $general, $lower}";
	if (!exists $plain_record_at{$key})
	{
		$plain_record_at{$key} = @plain_records;
		push @plain_records, $key;
	}
	$plain_record_of[$cp] = $plain_record_at{$key};
}

my (@plain_blocks, %plain_block_at, @plain_block_of);
for (my $cp = 0; $cp < $end; $cp += $size)
{
	my $key = join ', ', @plain_record_of[ $cp .. $cp + $size - 1 ];

	if (!exists $plain_block_at{$key})
	{
		$plain_block_at{$key} = @plain_blocks;
		push @plain_blocks, $key;
	}
	push @plain_block_of, $plain_block_at{$key};
}

# Primary composites, without Hangul: (first, second) -> composite
my @pairs;
for my $cp (0x80 .. $end - 1)
{
	next if is_surrogate($cp) || is_hangul($cp);
	my $char = chr $cp;
	my $decomposed = NFD($char);

	next if length($decomposed) < 2 || NFC($decomposed) ne $char;
	my $second = substr($decomposed, -1);
	my $first = NFC(substr($decomposed, 0, -1));

	die "composite of three" unless length($first) == 1 &&
	  getComposite(ord $first, ord $second) == $cp;
	push @pairs, [ ord $first, ord $second, $cp ];
}
@pairs = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @pairs;

sub wrapped
{
	my ($line, $text) = ("\t", '');

	for my $item (@_)
	{
		if (length($line) + length($item) > 76)
		{
			$line =~ s/ $//;
			$text .= "$line\n";
			$line = "\t";
		}
		$line .= "$item, ";
	}
	$line =~ s/, $//;
	return "$text$line\n";
}

print <<"END";
/*
 * unicode_tables.h
 *	  Generated by unicode_tables.pl from Unicode $version; do not edit.
 */
#define UNICODE_TABLES_VERSION "$version"
#define UNICODE_TABLES_END 0x@{[ sprintf '%X', $end ]}
#define UNICODE_BLOCK_SHIFT $shift

static const uint32_t unicode_pool[@{[ scalar @pool ]}] = {
END
print wrapped(map { sprintf '0x%X', $_ } @pool), "};\n\n";
printf "static const CharacterRecord unicode_records[%d] = {\n", scalar @records;
print wrapped(@records), "};\n\n";
printf "static const uint16_t unicode_blocks[%d] = {\n", scalar @block_of;
print wrapped(@block_of), "};\n\n";
printf "static const uint16_t unicode_record_of[%d][%d] = {\n", scalar @blocks, $size;
print join(",\n", map { "\t{\n" . wrapped(split /, /, $_) . "\t}" } @blocks), "\n};\n\n";
printf "static const CompositionPair unicode_pairs[%d] = {\n", scalar @pairs;
print wrapped(map { sprintf '{0x%X, 0x%X, 0x%X}', @$_ } @pairs), "};\n";

printf "\nstatic const uint32_t plain_pool[%d] = {\n", scalar @plain_pool;
print wrapped(map { sprintf '0x%X', $_ } @plain_pool), "};\n\n";
printf "static const PlainRecord plain_records[%d] = {\n", scalar @plain_records;
print wrapped(@plain_records), "};\n\n";
printf "static const uint16_t plain_blocks[%d] = {\n", scalar @plain_block_of;
print wrapped(@plain_block_of), "};\n\n";
printf "static const uint16_t plain_record_of[%d][%d] = {\n", scalar @plain_blocks, $size;
print join(",\n", map { "\t{\n" . wrapped(split /, /, $_) . "\t}" } @plain_blocks), "\n};\n";
