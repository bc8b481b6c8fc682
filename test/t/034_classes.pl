# Classes that come, change and go while the background worker learns.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '60s'\n");
my $failed = q{SELECT count(*) FROM hl_runs WHERE state NOT IN ('done', 'superseded', 'running')};
my $serving = q{SELECT array_to_string(array_agg(c ORDER BY c), ',') FROM hl_serving v JOIN hl_model m USING (project_id, model), unnest(m.classes) c};
my $answers = q{SELECT string_agg(DISTINCT label, ',' ORDER BY label) FROM hl_predict('tickets')};

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

# How the project is: without failures, that is.
sub is_well
{
	my ($what) = @_;

	is(query(qq{SELECT state, last_error FROM hl_projects; $failed}), "ready|\n0", "$what: nothing has failed");
	return;
}

# ----------------------------------------------------------------------
# A class appears by being used, and goes when all its labels are taken back
# ----------------------------------------------------------------------

fill($node, 600);
model_by_itself($node, 60);
query(q{SELECT hl_label('tickets', 100, 'praise', 'bob')});
eventually($node, $learned, 'the first label of a new class is learned');
is(query($serving), 'billing,delivery,returns', 'the model does not know it yet');
is(query($answers), 'billing,delivery,returns', 'and answers with what it knows');
is_well('one label');
query(q{SELECT hl_label('tickets', 101, 'praise', 'bob')});
eventually($node, q{SELECT count(*) = 2 FROM hl_model}, 'the second brings a training');
eventually($node, $learned, 'which is taken up');
is(query($serving), 'billing,delivery,praise,returns', 'with the new class');
is(query(q{SELECT reason FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), 'new class', 'for its sake');

# One label in a full training is no trouble, either.
query(q{SELECT hl_undo('tickets', 101, 'bob')});
eventually($node, $learned, 'one is taken back');
query(q{SELECT hl_train('tickets')});
eventually($node, $learned, 'and hl_train has one label of the class');
is(query($serving), 'billing,delivery,praise,returns', 'which is a class');
query(q{SELECT hl_label('tickets', 102, 'billing', 'bob')});
eventually($node, $learned, 'labels are learned on top of it');
is(query(q{SELECT revision > 0 FROM hl_serving}), 't', 'as a revision');
is_well('a class with one label');

query(q{SELECT hl_undo('tickets', 100, 'bob')});
eventually($node, $learned, 'the last one is taken back');
is_well('no label');
query(q{SELECT hl_train('tickets')});
eventually($node, $learned, 'and hl_train has none');
is(query($serving), 'billing,delivery,returns', 'the class is gone');

# ----------------------------------------------------------------------
# Renamed, merged, removed
# ----------------------------------------------------------------------

my $before = query(q{SELECT count(*) FROM hl_model});
is(query(q{BEGIN; SELECT hl_rename_class('tickets', 'delivery', 'shipping') > 0; } . $answers . q{; COMMIT}), "t\nbilling,returns,shipping", 'a renamed class is answered by its new name at once');
eventually($node, qq{SELECT count(*) = $before + 1 FROM hl_model}, 'and brings a training');
eventually($node, $learned, 'which is taken up');
is(query(q{SELECT reason, deployed, trained_by FROM hl_models('tickets') ORDER BY model DESC LIMIT 1}), 'classes changed|t|worker', 'for its sake');
is(query($serving), 'billing,returns,shipping', 'with the new name');
is(query($answers), 'billing,returns,shipping', 'and answers with it');
never($node, qq{SELECT count(*) > $before + 1 FROM hl_model}, 'one training is enough', 2);

$before = query(q{SELECT count(*) FROM hl_model});
query(q{SELECT hl_merge_classes('tickets', '{billing,returns}', 'money')});
eventually($node, qq{SELECT count(*) = $before + 1 FROM hl_model}, 'merged classes bring one');
eventually($node, $learned, 'which is taken up');
is(query($serving), 'money,shipping', 'of what is left');
is(query(q{SELECT count(*) FROM hl_queue WHERE label NOT IN ('money', 'shipping')}), '0', 'and so has the queue');
is_well('merged');

# Of a class that is no more than a name so far, the model knows nothing: no training for that.
$before = query(q{SELECT count(*) FROM hl_model});
query(q{SELECT hl_label('tickets', 200, 'oddity', 'bob')});
eventually($node, $learned, 'the first label of another class');
query(q{SELECT hl_rename_class('tickets', 'oddity', 'odd'); SELECT hl_remove_class('tickets', 'odd')});
eventually($node, $learned, 'renamed and removed before it was learned');
is(query(q{SELECT count(*) FROM hl_model}), $before, 'costs no training');

# With labels of one class there is nothing to train, and that is no failure.
query(q{SELECT hl_remove_class('tickets', 'money')});
eventually($node, $learned, 'a class of two is removed');
is(query($answers), 'shipping', 'the model has one answer left');
query(q{SELECT hl_label('tickets', 301, 'shipping', 'bob')});
eventually($node, $learned, 'the other goes on to be labelled');
never($node, q{SELECT coalesce(bool_or(train_at IS NOT NULL), false) FROM hl_work}, 'no training is planned', 2);
is_well('one class left');
is(query(q{SELECT count(*) > 0 FROM hl_current_answer c JOIN hl_ranking r USING (project_id) WHERE c.item = ANY (r.items) AND part = 'rest' AND c.label = 'money'}), 'f', 'and nothing has the old name');
like(query(q{SELECT string_agg(item, ',') FROM hl_next('tickets', 600, 'eve')}), qr/(^|,)2,/, 'what was labelled so is asked again');
query(q{SELECT hl_label_many('tickets', array_agg(id::text), array_agg(topic)) FROM ticket WHERE id <= 40 AND topic <> 'delivery'});
eventually($node, qq{SELECT count(*) = $before + 1 FROM hl_model}, 'labels of others bring a training');
eventually($node, $learned, 'which is taken up');
is(query($serving), 'billing,returns,shipping', 'with all of them');
is(query($answers), 'billing,returns,shipping', 'that answers');
is_well('three classes again');
is($node->safe_psql('postgres', orphans()), '', 'nothing is left over');

# ----------------------------------------------------------------------
# A dump has the names of today
# ----------------------------------------------------------------------

query(q{SELECT hl_pause('tickets')});
query(q{SELECT hl_rename_class('tickets', 'billing', 'bills'); SELECT hl_merge_classes('tickets', '{returns}', 'shipping')});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
my $all = q{SELECT md5(string_agg(format('%s %s %s', item, label, confidence), E'\n' ORDER BY item)), string_agg(DISTINCT label, ',') FROM hl_predict('tickets')};
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dump');
query('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'restore');
like(query($all), qr/\|bills,shipping$/, 'before the training that is due');
is($node->safe_psql('restored', $all), query($all), 'the restored model answers alike');
query('DROP DATABASE restored WITH (FORCE)');
query(q{SELECT hl_resume('tickets')});
eventually($node, q{SELECT class_names IS NULL FROM hl_model ORDER BY model DESC LIMIT 1}, 'which comes after the pause');
eventually($node, $learned, 'and is taken up');
is(query($serving), 'bills,shipping', 'with these classes');
query(q{SELECT hl_drop_project('tickets')});

# ----------------------------------------------------------------------
# In the middle of a training
# ----------------------------------------------------------------------

fill_many($node, 9000);
eventually($node, $fitting, 'a first training is on its way', 60);
query(q{SELECT hl_rename_class('many', 'class 7', 'seven')});
eventually($node, q{SELECT count(*) > 0 FROM hl_run WHERE state = 'superseded'}, 'what it has learned has the name of before: it is not stored', 120);
eventually($node, q{SELECT model = 1 FROM hl_serving}, 'but made anew', 120);
is(query(q{SELECT 'seven' = ANY (classes), 'class 7' = ANY (classes), cardinality(classes) FROM hl_model}), 't|f|40', 'with the new name');
eventually($node, $learned, 'taken up', 60);

# Until the training after a change has ended, answers are learned by the model that serves,
# which does not take what was renamed for taken back.
my $sevens = q{SELECT round(avg((label = '%s')::int), 2) >= 0.9 FROM hl_predict('many') WHERE item::int % 40 = 7};
is(query(sprintf($sevens, 'seven')), 't', 'nearly all rows of a class are answered so');
query(q{SELECT hl_rename_class('many', 'seven', 'VII'); SELECT hl_merge_classes('many', '{class 1,class 2}', 'one or two'); SELECT hl_remove_class('many', 'class 3')});
eventually($node, $fitting, 'a training for its sake', 60);
is(query(q{SELECT model, revision FROM hl_serving}), '1|0', 'to the model that serves it is no news');
query(q{SELECT hl_label('many', 8600, 'class 0', 'bob')});
eventually($node, q{SELECT v.revision > 0 AND v.model = 1 AND EXISTS (SELECT FROM hl_run WHERE state = 'running' AND kind = 'train') FROM hl_serving v}, 'meanwhile an answer is learned', 30);
my $half_way = query(sprintf($sevens, 'VII') . q{; SELECT round(avg((label = 'one or two')::int), 2) >= 0.9 FROM hl_predict('many') WHERE item::int % 40 IN (1, 2);
	SELECT count(*) FROM hl_predict('many') WHERE label IN ('class 1', 'class 2', 'class 3', 'seven'); SELECT model FROM hl_serving});
is($half_way, "t\nt\n0\n1", 'and the model that serves still knows its classes by their new names');
eventually($node, q{SELECT model = 2 FROM hl_serving}, 'then comes the training', 120);
is(query(q{SELECT reason, classes FROM hl_models('many') WHERE model = 2}), 'classes changed|38', 'with the classes that are left');
eventually($node, $learned, 'taken up', 60);
is_well('many classes');
is($node->safe_psql('postgres', orphans()), '', 'nothing is left over');
query(q{SELECT hl_drop_project('many'); DROP TABLE many});

# ----------------------------------------------------------------------
# With what 0.2.0 has made
# ----------------------------------------------------------------------

query(q{CREATE DATABASE older});
$node->safe_psql('older', q{CREATE EXTENSION humanloop VERSION '0.2.0'});
fill($node, 300, 'older');
model_by_itself($node, 60, 'older');
$node->safe_psql('older', q{SELECT hl_label('tickets', 100, 'billing')});
eventually($node, $learned, 'the library learns on the tables of 0.2.0', 20, 'older');
is($node->safe_psql('older', q{SELECT model FROM hl_train('tickets')}), '2', 'and trains');
$node->safe_psql('older', 'ALTER EXTENSION humanloop UPDATE');
is($node->safe_psql('older', q{SELECT hl_rename_class('tickets', 'delivery', 'shipping') >= 20}), 't', 'after the update classes can be renamed');
is($node->safe_psql('older', $answers), 'billing,returns,shipping', 'which the older model follows');
eventually($node, q{SELECT count(*) = 3 FROM hl_model}, 'and the worker', 20, 'older');

done_testing();
