# Epistemic means ignorance: it tells rows of classes that nobody has ever labelled
# from others, and better than a lack of confidence does; with few labels and with
# many, where such rows are in the source already and where they come later.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{HUMANLOOP_DATA} // '';
my $set = "$data/banking77/banking77.csv";
plan skip_all => "no data set banking77 in $data" unless -r $set;

my $node = new_node('main', conf => "humanloop.enabled = off\nfsync = off\n");
$node->safe_psql('postgres', slurp_file("$FindBin::Bin/../unseen.sql"));
$node->safe_psql('postgres', "COPY example FROM STDIN CSV HEADER;\n" . slurp_file($set) . "\\.\n");

# AUROC by hand: of four pairs two are right, one is wrong and one is a tie
is($node->safe_psql('postgres', q{SELECT auroc('{1,2,3,3}', '{f,t,f,t}')}), '0.625', 'the measure');

# A single draw may go either way (standard deviation 0.01 to 0.02), so the mean of
# several is asked for; the standard error of that is a half to a third of it.
my %draws = (10 => 10, 100 => 4);
for my $labels (sort { $a <=> $b } keys %draws)
{
	for my $pool ('true', 'false')
	{
		my ($epistemic, $confidence) = split /\|/, $node->safe_psql('postgres', qq{SET client_min_messages = warning;
			SELECT avg(u.epistemic), avg(u.confidence) FROM generate_series(1, $draws{$labels}) d, unseen(d, 17, $labels, $pool) u});
		my $where = $pool eq 'true' ? 'in the pool' : 'not in the pool';

		diag(sprintf '%d labels a class, the others %s: epistemic %.4f, 1 - confidence %.4f', $labels, $where, $epistemic, $confidence);
		cmp_ok($epistemic, '>', $confidence, "$labels labels a class, the others $where: epistemic finds them better than a lack of confidence");
		cmp_ok($confidence, '>', 0.7, 'which finds them, too');
	}
}

$node->stop;
done_testing();
