# What an item's label is where several have answered it: who is mostly wrong is
# not believed, neither by a training nor by the worker between two of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use Test::More;

my $node = new_node('main', conf => "humanloop.worker_idle_timeout = '60s'\n");

# Labels of the last training that are those of the table, and all.
my $right = q{
	SELECT count(*) FILTER (WHERE m.classes[l.label + 1] = t.topic), count(*)
	FROM (SELECT model, unnest(items) AS item, unnest(labels) AS label FROM hl_model_label) l
	JOIN hl_model m USING (model) JOIN ticket t ON t.id::text = l.item
	WHERE m.model = (SELECT max(model) FROM hl_model)};
my $wrong = q{(ARRAY['billing', 'returns', 'delivery'])[1 + id % 3]};

# Answers of one annotator to the items of a range.
sub answers
{
	my ($who, $from, $to, $label) = @_;

	$node->safe_psql('postgres', qq{SELECT hl_label_many('tickets', array_agg(id::text ORDER BY id), array_agg($label ORDER BY id), '$who') FROM ticket WHERE id BETWEEN $from AND $to});
}

fill($node, 300, 'postgres', '{"train_quiet": 86400, "train_growth": 100}');
$node->safe_psql('postgres', q{SELECT hl_pause('tickets')});

# ----------------------------------------------------------------------
# A training
# ----------------------------------------------------------------------

# anna alone, then anna and carl, who is always wrong and always later, then both and ben
answers('anna', 1, 120, 'topic');
answers('ben', 81, 120, 'topic');
answers('carl', 41, 120, $wrong);
$node->safe_psql('postgres', q{SELECT hl_train('tickets')});
is($node->safe_psql('postgres', $right), '120|120', 'whoever is always wrong gives no label');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ticket WHERE id > 120 AND (hl_predict('tickets', body)).label = topic}), '180', 'nor does the model believe him');

# the same said once more changes nothing
$node->safe_psql('postgres', q{SELECT hl_train('tickets')});
is($node->safe_psql('postgres', $right), '120|120', 'in the next training, either');

# ----------------------------------------------------------------------
# The worker, between two trainings
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_resume('tickets')});
eventually($node, $learned, 'the worker takes it up');
answers('anna', 121, 160, 'topic');
eventually($node, $learned, 'answers of one are learned');
answers('carl', 121, 160, $wrong);
eventually($node, $learned, 'those of who is wrong are noted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hl_model}), '2', 'without a training');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ticket WHERE id > 160 AND (hl_predict('tickets', body)).label = topic}), '140', 'and the revision does not believe him');
# somebody new, and a class that is new
answers('dora', 150, 160, 'topic');
answers('dora', 161, 162, q{'warranty'::text});
answers('anna', 161, 162, q{'warranty'::text});
eventually($node, $learned, 'an annotator and a class that were not there before are learned');
$node->safe_psql('postgres', q{SELECT hl_undo('tickets', item, 'carl') FROM hl_labels WHERE annotator = 'carl' AND item::int > 150});
eventually($node, $learned, 'so are answers taken back');
$node->safe_psql('postgres', q{SELECT hl_train('tickets')});
is($node->safe_psql('postgres', $right), '160|162', 'all of them in the next training');

# ----------------------------------------------------------------------
# One answer each is no matter for the label model
# ----------------------------------------------------------------------

$node->safe_psql('postgres', q{SELECT hl_undo('tickets', item, annotator) FROM hl_labels WHERE annotator <> 'anna'; SELECT hl_train('tickets')});
is($node->safe_psql('postgres', $right), '160|162', 'what is said once is the label');

$node->stop;
done_testing();
