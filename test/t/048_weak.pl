# Rules in place of labels: a model that was trained from nothing but the labelling
# functions of a data set says more than their majority does, and what people label
# then makes it better.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{HUMANLOOP_DATA} // '';
my %least = (youtube_spam => 0.90, hausa_news => 0);
my $node;

for my $set (sort keys %least)
{
  SKIP:
	{
		skip "no data set $set in $data", 3 unless -r "$data/$set/$set.csv" && -r "$data/$set/${set}_lf.csv";
		$node //= new_node('main', conf => "humanloop.enabled = off\nfsync = off\n");
		$node->safe_psql('postgres', "CREATE DATABASE $set");
		$node->safe_psql($set, slurp_file("$FindBin::Bin/../rules.sql"));
		$node->safe_psql($set, "COPY example FROM STDIN CSV HEADER;\n" . slurp_file("$data/$set/$set.csv") . "\\.\n");
		$node->safe_psql($set, "COPY votes FROM STDIN CSV HEADER;\n" . slurp_file("$data/$set/${set}_lf.csv") . "\\.\n");
		$node->safe_psql($set, 'SELECT prepare()');
		my ($majority, $weak, $labels) = split /\|/, $node->safe_psql($set, q{SELECT majority_accuracy(),
			(SELECT avg(weak_accuracy(seed, 0)) FROM generate_series(1, 3) seed), (SELECT avg(weak_accuracy(seed, 400)) FROM generate_series(1, 3) seed)});

		diag(sprintf '%s: majority of the rules %.4f, trained from them %.4f, with 400 labels %.4f', $set, $majority, $weak, $labels);
		cmp_ok($weak, '>', $majority, "$set: a model trained from rules is better than their majority");
		cmp_ok($weak, '>=', $least{$set}, "$set: and as good as it shall be");
		cmp_ok($labels, '>', $weak - 0.01, "$set: labels do not make it worse");
	}
}

$node->stop if defined $node;
done_testing();
