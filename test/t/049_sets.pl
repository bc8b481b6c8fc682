# Sets of labels are right as often as they say: on banking77's test rows, with few, some
# and all of its labels; and without the second model, which few labels are too few for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{HUMANLOOP_DATA} // '';
my $file = "$data/banking77/banking77.csv";
plan skip_all => "no data set banking77 in $data" unless -r $file;

my $node = new_node('main', conf => "humanloop.enabled = off\nfsync = off\n");
$node->safe_psql('postgres', slurp_file("$FindBin::Bin/../covered.sql"));
$node->safe_psql('postgres', "COPY example FROM STDIN CSV HEADER;\n" . slurp_file($file) . "\\.\n");

# a draw is off by 0.01 to 0.02 by chance, the more the fewer labels
my %draws = (1000 => 6, 3000 => 5, 10003 => 3);
for my $labels (sort { $a <=> $b } keys %draws)
{
	$node->safe_psql('postgres', "SET client_min_messages = warning; SELECT cover($_, $labels)") for 1 .. $draws{$labels};
	for (split /\n/, $node->safe_psql('postgres', "SELECT coverage, avg(covered), avg(size) FROM covered WHERE labels = $labels GROUP BY coverage ORDER BY coverage"))
	{
		my ($stated, $covered, $size) = split /\|/;

		diag(sprintf "%d labels: stated %s, covered %.4f, %.2f labels a set", $labels, $stated, $covered, $size);
		cmp_ok(abs($covered - $stated), '<=', 0.02, "$labels labels: sets have the true label as often as stated, $stated");
		cmp_ok($size, '<', 8, 'and are no larger than need be');
	}
}

$node->stop;
done_testing();
