# Encoders that are changed, chosen and dropped while others are at it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Transformer;

my $node = new_node('main');

sub query { return $node->safe_psql('postgres', $_[0]) }

my $serving = q{SELECT concat_ws(' ', s.model, m.encoder) FROM hl_serving s JOIN hl_model m USING (project_id, model) JOIN hl_project p ON p.id = project_id WHERE p.name = '%s'};
my $runs = q{SELECT count(*) FROM hl_run r JOIN hl_project p ON p.id = r.project_id WHERE kind = 'train' AND p.name = '%s'};

sub serving { return query(sprintf($serving, $_[0])) }

# Vectors of words; of riddles, no two of which have a word in common, they say the
# topic.
sub import_words
{
	query("SELECT hl_import_encoder('$_', 'word_vectors', staging => 'word')") foreach @_;
}

query(q{
	CREATE TABLE ticket (id int PRIMARY KEY, body text, topic text);
	INSERT INTO ticket SELECT i, (ARRAY['please take back ', 'where is the parcel with ', 'I was charged twice for '])[1 + i % 3]
		|| (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table'])[1 + i / 3 % 5],
		(ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] FROM generate_series(1, 200) i;
	CREATE TABLE riddle (id int PRIMARY KEY, body text, topic text);
	INSERT INTO riddle SELECT i, 'w' || translate(md5(i::text), '0123456789', 'ghijklmnop'), (ARRAY['one', 'two', 'three'])[1 + i % 3] FROM generate_series(1, 200) i;
	CREATE TABLE word (line text);
	INSERT INTO word SELECT concat_ws(' ', body, (id % 3 = 0)::int, (id % 3 = 1)::int, (id % 3 = 2)::int, 0.1) FROM riddle;
	INSERT INTO word SELECT concat_ws(' ', w, length(w) % 3, 1, 0.5, ascii(w) % 5) FROM (SELECT DISTINCT unnest(string_to_array(body, ' ')) FROM ticket) t (w);
	SELECT hl_create_project('tickets', 'ticket', 'body', encoder => 'text', options => '{"train_growth": 100}');
	SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;});
import_words('first', 'second', 'spare');

# ----------------------------------------------------------------------
# An earlier model of another encoder
# ----------------------------------------------------------------------

eventually($node, "SELECT ($serving) = '1 text'" =~ s/%s/tickets/r, 'a model comes');
query(q{SELECT hl_set_encoder('tickets', 'first')});
eventually($node, "SELECT ($serving) = '2 first'" =~ s/%s/tickets/r, 'another one with another encoder');
eventually($node, $learned, 'all is learned');
my $trainings = query(sprintf($runs, 'tickets'));
query(q{SELECT hl_deploy('tickets', 1)});
eventually($node, $learned, 'the source is encoded again for an earlier model');
never($node, sprintf("SELECT ($runs) > $trainings", 'tickets'), 'no training takes its place', 3);
is(serving('tickets'), '1 text', 'it serves');
query(q{SELECT hl_set_encoder('tickets', 'first')});
eventually($node, "SELECT ($serving) = '3 first'" =~ s/%s/tickets/r, 'until somebody says again which encoder it shall be');
query(q{SELECT hl_deploy('tickets', 1); SELECT hl_train('tickets')});
is(serving('tickets'), '4 first', 'or trains');

# ----------------------------------------------------------------------
# Snapshots from before
# ----------------------------------------------------------------------

my $before = session($node);
ask($before, q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ticket});
query(q{SELECT hl_set_encoder('tickets', 'second')});
like(outcome($before, q{SELECT hl_drop_encoder('second')}), qr/^2BP01 /, 'whoever drops an encoder sees who uses it since');
ask($before, q{ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ticket});
query(q{SELECT hl_drop_encoder('spare')});
like(outcome($before, q{SELECT hl_set_encoder('tickets', 'spare')}), qr/^42704 /, 'whoever uses one sees that it was dropped');
ask($before, q{ROLLBACK});
eventually($node, "SELECT ($serving) = '5 second'" =~ s/%s/tickets/r, 'the encoder is the one that was asked for');

# ----------------------------------------------------------------------
# A transaction that stays open
# ----------------------------------------------------------------------

query(q{SELECT hl_create_project('others', 'ticket', 'body', encoder => 'text', options => '{"train_growth": 100}');
	SELECT hl_label_many('others', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;});
eventually($node, "SELECT ($serving) = '1 text'" =~ s/%s/others/r, 'another project has a model');
eventually($node, $learned, 'all is learned');
ask($before, q{BEGIN; SELECT hl_set_encoder('tickets', 'text')});
query(q{INSERT INTO ticket VALUES (1001, 'where is the parcel with the kettle', 'delivery')});
query(q{SELECT hl_label('others', 31, topic) FROM ticket WHERE id = 31});
eventually($node, q{SELECT revision > 0 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'others'}, 'the worker does not wait for one that changes an encoder', 10);
ask($before, q{ROLLBACK});

# ----------------------------------------------------------------------
# Chosen while others are at it
# ----------------------------------------------------------------------

query(q{UPDATE hl_project SET encoder = 'text+second' WHERE name = 'tickets'; SELECT hl_train('tickets');
	UPDATE hl_project SET encoder = 'auto' WHERE name = 'tickets';
	UPDATE hl_serving SET chosen = 'text+second' FROM hl_project p WHERE p.id = project_id AND name = 'tickets'});
my $lock = session($node);
my $training = session($node);
ask($lock, q{BEGIN; LOCK TABLE hl_model_label});
ask($training, q{SELECT hl_train('tickets')}, 1);
eventually($node, q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'hl_model_label'::regclass AND NOT granted}, 'a training is to be compared');
query(q{SELECT hl_pause('tickets'); SELECT hl_set_encoder('tickets', 'text')});
ask($lock, q{COMMIT});
like(ask($training, q{SELECT 'trained'}), qr/trained/, 'it ends after another encoder was asked for');
is(query(q{SELECT encoder || ' ' || (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(figures -> 'shares') k) FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}),
	'text+second second text', 'its figures are those of the encoder it was trained with');

query(q{SELECT hl_create_project('riddles', 'riddle', 'body', options => '{"dimensions": 16}'); SELECT hl_pause('riddles');
	SELECT hl_label_many('riddles', array_agg(id::text), array_agg(topic)) FROM riddle WHERE id <= 60;
	SELECT hl_drop_project('others')});
import_words('better');
query(q{SELECT hl_set_encoder('tickets', 'text')});
ask($lock, q{BEGIN; SELECT hl_set_encoder('riddles', 'auto')});
ask($training, q{SELECT encoder FROM hl_train('riddles')}, 1);
eventually($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'object' AND NOT granted}, 'encoders are compared');
ask($lock, q{ROLLBACK});
my ($chosen) = ask($training, '') =~ /(\S+)/;
like($chosen, qr/^text\+/, 'one that is better is chosen');
note "chosen: $chosen";

# the same, but meanwhile somebody says which encoder it shall be
query(q{SELECT hl_drop_project('riddles'), hl_drop_project('tickets');
	SELECT hl_create_project('riddles', 'riddle', 'body', encoder => 'text', options => '{"dimensions": 16}'); SELECT hl_pause('riddles');
	SELECT hl_label_many('riddles', array_agg(id::text), array_agg(topic)) FROM riddle WHERE id <= 60;
	SELECT hl_train('riddles'); SELECT hl_set_encoder('riddles', 'auto')});
is(query(q{SELECT string_agg(projects::text, ' ') FROM hl_encoders}), '{} {} {}', 'no project uses an imported encoder');
ask($lock, q{BEGIN; SELECT hl_set_encoder('riddles', 'text')});
ask($training, q{SELECT encoder FROM hl_train('riddles')}, 1);
eventually($node, q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'object' AND NOT granted}, 'encoders are compared again');
is(sqlstate($node, q{SET lock_timeout = '200ms'; SELECT hl_drop_encoder('better')}), '55P03', 'none is dropped under it');
ask($lock, q{COMMIT});
is(ask($training, q{}) =~ s/\s//gr, 'text', 'then none is chosen');
is(query(q{SELECT chosen IS NULL FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'riddles'}), 't', 'and none recorded');
query(q{SELECT hl_drop_encoder(encoder) FROM hl_encoders});

# ----------------------------------------------------------------------
# A comparison that takes the place of a planned training
# ----------------------------------------------------------------------

import_words('other');
query(q{SELECT hl_drop_project('riddles'); SELECT hl_create_project('quiet', 'ticket', 'body', options => '{"train_growth": 100, "train_quiet": 3000}');
	SELECT hl_label_many('quiet', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;});
eventually($node, "SELECT ($runs) = 2" =~ s/%s/quiet/r, 'a model comes, and encoders are compared');
eventually($node, $learned, 'all is learned');
my $work = q{FROM hl_work w JOIN hl_project p ON p.id = w.project_id WHERE p.name = 'quiet'};
is(query("SELECT train_at IS NULL $work"), 't', 'no training is planned');
query(q{SELECT hl_label('quiet', 31, topic) FROM ticket WHERE id = 31});
eventually($node, "SELECT train_at > now() + '40 min' $work", 'one is planned after an answer');
query(q{UPDATE hl_serving SET tried = NULL FROM hl_project p WHERE p.id = project_id AND name = 'quiet'; SELECT hl_resume('quiet')});
eventually($node, "SELECT ($runs) = 3 AND NOT EXISTS (SELECT FROM hl_run WHERE state = 'running')" =~ s/%s/quiet/r, 'encoders are compared once more');
eventually($node, $learned, 'all is learned');
is(query("SELECT train_at > now() + '40 min' $work"), 't', 'the training is planned as before');
never($node, sprintf("SELECT ($runs) > 3", 'quiet'), 'and nothing is compared again and again', 2);

# ----------------------------------------------------------------------
# A new worker and an encoder that is slow
# ----------------------------------------------------------------------

my $files = PostgreSQL::Test::Utils::tempdir();
write_transformer("$files/small", width => 16, layers => 1, seed => 1);
query(qq{SELECT hl_drop_project('quiet'), hl_import_encoder('small', 'transformer', path => '$files/small');
	CREATE SEQUENCE reads;
	CREATE FUNCTION counted(text) RETURNS text LANGUAGE plpgsql STABLE AS \$\$ BEGIN PERFORM nextval('public.reads'); RETURN \$1; END \$\$;
	CREATE VIEW counted AS SELECT id, counted(body || id) AS body FROM ticket;
	SELECT hl_create_project('counted', 'counted', 'body', key => 'id', encoder => 'small', options => '{"train_growth": 100}');
	SELECT hl_label_many('counted', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 30;});
eventually($node, "SELECT ($serving) = '1 small'" =~ s/%s/counted/r, 'a model of a slow encoder');
eventually($node, $learned, 'all is learned');
worker_gone($node);
my $reads = query('SELECT last_value FROM reads');
query(q{SELECT hl_label('counted', 31, topic) FROM ticket WHERE id = 31});
eventually($node, q{SELECT revision = 1 FROM hl_serving JOIN hl_project p ON p.id = project_id WHERE name = 'counted'}, 'another worker learns an answer');
eventually($node, $learned, 'all is learned');
cmp_ok(query('SELECT last_value FROM reads'), '<', $reads + 20, 'and does not read and encode again what is stored');
cmp_ok(query(q{SELECT cardinality(items) FROM hl_ranking r JOIN hl_project p ON p.id = r.project_id WHERE p.name = 'counted' AND part = 'rest'}), '>', 100, 'of all the rows in the queue');

$node->stop;
done_testing();
