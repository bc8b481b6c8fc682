# What the worker's trainings say of the models before them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main');
my $learned = q{SELECT NOT EXISTS (SELECT FROM hl_change)};

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

fill($node, 600);
model_by_itself($node, 60);
is(query(q{SELECT agreement IS NULL FROM hl_model}), 't', 'the first model has none to agree with');
is(query(q{SELECT met FROM hl_stop('tickets') WHERE criterion = 'stop'}), 'f', 'and is no reason to stop');
query(q{SELECT hl_label('tickets', id, topic, 'bob') FROM ticket WHERE id BETWEEN 61 AND 200});
eventually($node, q{SELECT count(*) > 1 FROM hl_model}, 'more labels bring a training');
eventually($node, $learned, 'which is taken up');
is(query(q{SELECT bool_and(agreement > 0.3 AND agreement <= 1) FROM hl_model WHERE model > 1 AND deployed}), 't', 'the worker compares models');
is(query(q{SELECT count(*) >= 4 FROM hl_forecast('tickets')}), 't', 'and there is a learning curve');
is(query(q{SELECT count(*) FROM hl_runs WHERE state = 'failed'}), '0', 'nothing has failed');

# Under a standby, and in a transaction that only reads.
is(query(q{BEGIN READ ONLY; SELECT count(*) FROM hl_stop('tickets'); SELECT hl_plot('tickets', 'uncertainty') LIKE '<svg %'; COMMIT}), "3\nt", 'reading is enough');

done_testing();
