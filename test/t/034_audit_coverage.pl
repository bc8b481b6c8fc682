# What the metrics promise: over 200 simulated projects with the default options,
# questions answered from the queue, the interval of the audit covers the accuracy
# that the model has on rows it has never seen.  That of the cross-validation over
# all labels does not, which is what the audit is for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;

my $projects = 200;
my $node = new_node('main', conf => "humanloop.enabled = off\nfsync = off\n");

$node->safe_psql('postgres', slurp_file("$FindBin::Bin/../audited.sql"));
$node->safe_psql('postgres', join '', map { "SELECT simulate($_, 4, 30);\n" } 1 .. $projects);

sub ask_all { return split /\|/, $node->safe_psql('postgres', "SELECT $_[0] FROM simulated") }

note 'of the audit, of all labels, of unseen rows: ', join ' ', ask_all(q{round(avg(audited), 1), round(avg(audit)::numeric, 4), round(avg(plain)::numeric, 4), round(avg(truth)::numeric, 4)});
is((ask_all('count(*)'))[0], $projects, 'so many projects');

# 95 % of 200 are 190, with a standard deviation of 3
my ($covered, $plain) = ask_all(q{count(*) FILTER (WHERE truth BETWEEN audit_low AND audit_high), count(*) FILTER (WHERE truth BETWEEN plain_low AND plain_high)});
cmp_ok($covered, '>=', 0.9 * $projects, 'the interval of the audit covers the true accuracy');
cmp_ok($plain, '<', 0.5 * $projects, 'that of the cross-validation does not');

# unbiased: the mean over the projects has a standard error of 0.006
my ($bias, $plain_bias, $calibration) = ask_all(q{avg(audit - truth), avg(plain - truth), avg(audit_overconfidence - overconfidence)});
cmp_ok(abs($bias), '<', 0.02, 'on average the audit is right');
cmp_ok($plain_bias, '<', -0.05, 'and the cross-validation far too low, as what is asked is hard');
cmp_ok(abs($calibration), '<', 0.02, 'so is what the audit says of the calibration');
note "covered: $covered, by the cross-validation $plain; bias: $bias, $plain_bias; of the calibration $calibration";

# an audit is a tenth of the questions, and what was labelled for other reasons counts, too
my ($least, $most) = ask_all('min(audited), max(audited)');
cmp_ok($least, '>=', 12, 'a tenth of 120 labels are the audit');
cmp_ok($most, '<', 40, 'and not many more');
done_testing();
