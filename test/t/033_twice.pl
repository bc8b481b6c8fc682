# What is there twice, though it should be there once: rows in the stored
# features, keys of a view.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '60s'\n");

# ----------------------------------------------------------------------
# Rows that were deleted unseen and inserted again
# ----------------------------------------------------------------------

fill($node, 300, 'postgres', '{"train_quiet": 86400, "train_growth": 1.1}');
model_by_itself($node, 240);
# from here on the worker knows which rows are stored, and need not look for new ones
$node->safe_psql('postgres', q{INSERT INTO ticket VALUES (1001, 'where is the parcel with the lamp', 'delivery')});
eventually($node, $learned, 'a row is taken up');
$node->safe_psql('postgres', q{
	CREATE TABLE kept AS SELECT * FROM ticket WHERE id <= 290;
	ALTER TABLE ticket DISABLE TRIGGER USER;
	DELETE FROM ticket WHERE id <= 290;
	ALTER TABLE ticket ENABLE TRIGGER USER;
	INSERT INTO ticket SELECT * FROM kept;});
eventually($node, $learned, 'they are there again');
my $rows = q{SELECT count(*), count(DISTINCT item) FROM hl_feature_block, unnest(items) item};
is($node->safe_psql('postgres', $rows), '591|301', 'and stored twice');
$node->safe_psql('postgres', q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id BETWEEN 241 AND 270});
eventually($node, q{SELECT count(*) = 2 FROM hl_model}, 'more labels bring a training', 60);
is($node->safe_psql('postgres', q{SELECT labels, reason FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), '270|labels grew from 240 to 270', 'that learns each item once');
is($node->safe_psql('postgres', q{SELECT cardinality(items), cardinality(labels), cardinality(losses), (SELECT count(DISTINCT i) FROM unnest(items) i) FROM hl_model_label ORDER BY model DESC LIMIT 1}), '270|270|270|270', 'as is recorded');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT item) FROM hl_queue}), '31|31', 'and asks each item once');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT i) FROM hl_ranking, unnest(items) i WHERE part = 'spare'}), '31|31', 'also of the spare ones');
$node->safe_psql('postgres', q{SELECT hl_drop_project('tickets')});

# ----------------------------------------------------------------------
# A view whose key is not unique any more
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE VIEW seen AS SELECT id, body FROM ticket;
	SELECT hl_create_project('tickets', 'seen', 'body', key => 'id', options => '{"train_quiet": 86400, "train_growth": 100}')});
model_by_itself($node, 60);
worker_gone($node);
my $log = -s $node->logfile;
$node->safe_psql('postgres', q{
	CREATE OR REPLACE VIEW seen AS SELECT id, body FROM ticket, generate_series(1, CASE WHEN id > 100 THEN 50 ELSE 1 END);
	SELECT hl_label('tickets', 61, 'returns');});
eventually($node, q{SELECT last_error = 'the key "id" of project "tickets" is not unique' FROM hl_work}, 'a view that shows rows many times is an error', 30);
$node->safe_psql('postgres', q{
	CREATE OR REPLACE VIEW seen AS SELECT id, body FROM ticket;
	SELECT hl_resume('tickets');});
eventually($node, $learned, 'which passes with its reason');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile, $log), qr/terminated by signal/, 'and takes nothing down');

$node->stop;
done_testing();
