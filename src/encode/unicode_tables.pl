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

# The place of a key in a list in which equal keys stand once
sub place_of
{
	my ($list, $places, $key) = @_;

	if (!exists $places->{$key})
	{
		$places->{$key} = @$list;
		push @$list, $key;
	}
	return $places->{$key};
}

# Two-level table of the records of all code points: equal blocks are stored
# once.  Returns the blocks, and which one each block of code points is.
my $size = 1 << $shift;
sub two_levels
{
	my @record_of = @_;
	my (@blocks, %places, @block_of);

	for (my $cp = 0; $cp < $end; $cp += $size)
	{
		push @block_of, place_of(\@blocks, \%places, join ', ', @record_of[ $cp .. $cp + $size - 1 ]);
	}
	return (\@blocks, \@block_of);
}

# Distinct properties (mapping, class, combining class) and what they share
my (@pool, %pool_at, @records, %record_at, @record_of);
for my $cp (0 .. $end - 1)
{
	my $char = chr $cp;
	my ($length, $at) = (1, 0);		# maps to itself: offset 0
	my $class = is_surrogate($cp) ? 'CLASS_SPACE' : class_of($char);
	my $combining = is_surrogate($cp) ? 0 : getCombinClass($cp);

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
	$record_of[$cp] = place_of(\@records, \%record_at, "{$at, $length, $combining, $class}");
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
	return 'GENERAL_LETTER' if $char =~ /\p{L}/;
	return 'GENERAL_NUMBER' if $char =~ /\p{N}/;
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
	$plain_record_of[$cp] = place_of(\@plain_records, \%plain_record_at, "{$at, $length, $general, $lower}");
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

END
# The tables of one kind of properties: what is shared, records, the two levels
sub print_tables
{
	my ($name, $type, $pool, $records, $record_of) = @_;
	my ($blocks, $block_of) = two_levels(@$record_of);

	printf "static const uint32_t ${name}_pool[%d] = {\n", scalar @$pool;
	print wrapped(map { sprintf '0x%X', $_ } @$pool), "};\n\n";
	printf "static const $type ${name}_records[%d] = {\n", scalar @$records;
	print wrapped(@$records), "};\n\n";
	printf "static const uint16_t ${name}_blocks[%d] = {\n", scalar @$block_of;
	print wrapped(@$block_of), "};\n\n";
	printf "static const uint16_t ${name}_record_of[%d][%d] = {\n", scalar @$blocks, $size;
	print join(",\n", map { "\t{\n" . wrapped(split /, /, $_) . "\t}" } @$blocks), "\n};\n";
}

print_tables('unicode', 'CharacterRecord', \@pool, \@records, \@record_of);
printf "\nstatic const CompositionPair unicode_pairs[%d] = {\n", scalar @pairs;
print wrapped(map { sprintf '{0x%X, 0x%X, 0x%X}', @$_ } @pairs), "};\n\n";
print_tables('plain', 'PlainRecord', \@plain_pool, \@plain_records, \@plain_record_of);
