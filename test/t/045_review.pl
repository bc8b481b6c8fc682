# What a reviewer settles: learned by the background worker at once and by the
# next training, dumped and restored, read on a standby, gone with the project.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '60s'\n", allows_streaming => 1);
my $failed = q{SELECT count(*) FROM hl_runs WHERE state NOT IN ('done', 'superseded', 'running')};
my $taken_as = q{SELECT m.classes[1 + l.labels[array_position(l.items, '%s')]] FROM hl_model_label l JOIN hl_model m USING (project_id, model) ORDER BY model DESC LIMIT 1};
my $says = q{SELECT (hl_predict('tickets', body)).label FROM ticket WHERE id = %d};

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

# ----------------------------------------------------------------------
# The worker
# ----------------------------------------------------------------------

# The rest is labelled by nobody, so that a few settlements make no training.
fill($node, 600);
model_by_itself($node, 60);
my $model = query('SELECT model FROM hl_serving');
is(query(sprintf($says, 100)), 'delivery', 'the model is of the opinion of the text');
my @alike = map { 100 + 21 * $_ } 0 .. 7;
my $revision = query('SELECT revision FROM hl_serving');
query("SELECT hl_settle('tickets', i, 'billing') FROM unnest('{" . join(',', @alike) . "}'::int[]) i");
eventually($node, $learned, 'settlements are learned');
is(query('SELECT model FROM hl_serving'), $model, 'without a training');
cmp_ok(query('SELECT revision FROM hl_serving'), '>', $revision, 'by the fast update');
is(query(sprintf($says, 100)), 'billing', 'and the model answers so');
is(query(q{SELECT count(*) FROM hl_queue WHERE item IN ('} . join("','", @alike) . q{')}), '0', 'they have left the queue');
query(q{SELECT hl_label('tickets', 100, 'returns', who) FROM unnest('{ann,bob,cid}'::text[]) who});
eventually($node, $learned, 'three who say something else');
is(query(sprintf($says, 100)), 'billing', 'change nothing');
query("SELECT hl_unsettle('tickets', i) FROM unnest('{" . join(',', @alike) . "}'::int[]) i; SELECT hl_undo('tickets', 100, who) FROM unnest('{ann,bob,cid}'::text[]) who");
eventually($node, $learned, 'all that is taken back');
is(query(sprintf($says, 100)), 'delivery', 'and forgotten');

# ----------------------------------------------------------------------
# In the middle of a training
# ----------------------------------------------------------------------

fill_many($node, 9000);
eventually($node, $fitting, 'a training is on its way', 60);
query(q{SELECT hl_settle('many', 7, 'class 8')});
eventually($node, q{SELECT model IS NOT NULL FROM hl_serving v JOIN hl_project p ON p.id = v.project_id WHERE name = 'many'}, 'which ends', 120);
eventually($node, $learned, 'then the settlement is taken up', 60);
is(query(q{SELECT revision > 0 FROM hl_serving v JOIN hl_project p ON p.id = v.project_id WHERE name = 'many'}), 't', 'on top of it');
is(query($failed), '0', 'nothing has failed');
query(q{SELECT hl_drop_project('many'); DROP TABLE many});

# ----------------------------------------------------------------------
# A standby, a dump
# ----------------------------------------------------------------------

query(q{SELECT hl_pause('tickets'); SELECT hl_label('tickets', 1, 'returns', 'ann'), hl_label('tickets', 2, 'delivery', 'ann'), hl_settle('tickets', 1, 'billing', 'see there'), hl_comment('tickets', 1, 'odd'), hl_flag('tickets', 1, 'rude')});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $all = q{SELECT md5(string_agg(d::text, ' ' ORDER BY item)), count(*) FROM hl_disputes('tickets') d; SELECT md5(string_agg(a::text, ' ' ORDER BY a::text)) FROM hl_agreement('tickets') a;
	SELECT string_agg(s::text, ' ') FROM (SELECT item, action, label, reviewer, reason, holds FROM hl_settlements WHERE item = '1') s; SELECT string_agg(c::text, ' ') FROM hl_comments c; SELECT string_agg(f::text, ' ') FROM hl_flags f};
like(query($all), qr/\|2\n.*billing/s, 'disputes, settlements, comments, flags');
is($standby->safe_psql('postgres', $all), query($all), 'are the same on a standby');
is(sqlstate($standby, q{SELECT hl_settle('tickets', 2, 'billing')}), '25006', 'where nothing is settled');
$standby->stop;

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dump');
query('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'restore');
my $said = $all =~ s/^.*?;\s*//sr;
is($node->safe_psql('restored', $said), query($said), 'what people have said is restored');
is($node->safe_psql('restored', q{SELECT item, label, probability, settled FROM hl_disputes('tickets')}), query(q{SELECT item, label, probability, settled FROM hl_disputes('tickets')}), 'with the disputes');
is($node->safe_psql('restored', q{SELECT hl_settle('tickets', 2, 'billing') > (SELECT max(id) FROM hl_settlements)}), 't', 'and settling goes on');
is($node->safe_psql('restored', q{SELECT labels FROM hl_train('tickets')}), '60', 'as does training');
is($node->safe_psql('restored', sprintf($taken_as, 1) . '; ' . sprintf($taken_as, 2)), "billing\nbilling", 'from what is settled');
query('DROP DATABASE restored WITH (FORCE)');

# ----------------------------------------------------------------------
# With the tables of the version before
# ----------------------------------------------------------------------

query('CREATE DATABASE older');
$node->safe_psql('older', q{CREATE EXTENSION humanloop VERSION '0.4.0'});
fill($node, 300, 'older');
model_by_itself($node, 60, 'older');
$node->safe_psql('older', q{SELECT hl_label('tickets', 100, 'billing'); SELECT hl_rename_class('tickets', 'delivery', 'shipping'); SELECT hl_train('tickets')});
eventually($node, $learned, 'the library labels, renames and trains on them', 20, 'older');
is($node->safe_psql('older', q{SELECT count(*) FROM hl_next('tickets', 5)}), '5', 'and asks');
$node->safe_psql('older', 'ALTER EXTENSION humanloop UPDATE');
is($node->safe_psql('older', q{SELECT hl_settle('tickets', 100, 'returns') > 0}), 't', 'after the update items can be settled');
eventually($node, $learned, 'which is learned', 20, 'older');
$node->safe_psql('older', q{SELECT hl_drop_project('tickets')});

is($node->safe_psql('postgres', orphans()), '', 'nothing is left over');
query(q{SELECT hl_drop_project('tickets')});
is($node->safe_psql('postgres', orphans()), '', 'nor of a project that is dropped');

done_testing();
