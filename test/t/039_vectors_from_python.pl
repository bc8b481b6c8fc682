# The guide's scripts that fill a column of vectors from Python, and what it says of
# a project over them: as printed there, with modules of a few lines in the place of
# sentence-transformers, spaCy and Flair.  They offer just what the scripts call, give
# vectors as long as the real ones, and the same words the same.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my ($python) = grep { system("$_ -c 'import psycopg2' >/dev/null 2>&1") == 0 } qw(python3 /usr/bin/python3);
plan skip_all => 'python3-psycopg2 is not installed' if !defined $python;

# ----------------------------------------------------------------------
# The guide's blocks: [language, text] of a section, in order
# ----------------------------------------------------------------------

my $guide = slurp_file("$FindBin::Bin/../../doc/guide.md");

sub blocks
{
	my ($heading) = @_;
	my ($section) = $guide =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms or die "no section $heading";
	my @blocks;

	push @blocks, [ $1, $2 ] while $section =~ /^```([^\n]+)\n(.*?)^```$/gms;
	return @blocks;
}

sub of
{
	my ($language, @blocks) = @_;
	return map { $_->[1] } grep { $_->[0] eq $language } @blocks;
}

my @section = blocks('Vectors from Python');
my ($begin, $end) = of('sql', @section);
my @scripts = of('python', @section);
my $one_text = pop @scripts;
my ($declare, $ask, $arrive, $predict, $drop) = of('sql vectors', @section);
my ($column, $drop_column) = of('sql pgvector', @section);
is(scalar @section, 2 + 4 + 5 + 2, 'the blocks are those that this test knows');

# ----------------------------------------------------------------------
# What stands in for the libraries
# ----------------------------------------------------------------------

my $modules = PostgreSQL::Test::Utils::tempdir();
mkdir "$modules/flair" or die $!;

sub module
{
	my ($name, $text) = @_;
	append_to_file("$modules/$name.py", $text);
}

# A vector is no list, as those of numpy and torch are none.  STANDIN_LOG: a line
# for each text; STANDIN_BREAKS: the text that ends it.
module('standin', <<'PYTHON');
import math, os, random, re

class Vector:
    def __init__(self, numbers):
        self.numbers = numbers

    def tolist(self):
        return self.numbers

words = {}

def vector(text, dims, unit):
    total = [0.0] * dims
    if text == os.environ.get("STANDIN_BREAKS"):
        raise RuntimeError("broken by " + text)
    with open(os.environ["STANDIN_LOG"], "a") as log:
        log.write(text.replace("\n", " ") + "\n")
    for word in re.findall(r"\w+", text.lower()):
        if word not in words:
            source = random.Random(word)
            words[word] = [source.gauss(0.0, 1.0) for _ in range(dims)]
        total = [a + b for a, b in zip(total, words[word])]
    length = math.sqrt(sum(a * a for a in total)) if unit else 7.0
    return Vector([a / length for a in total] if length > 0 else total)
PYTHON
module('sentence_transformers', <<'PYTHON');
from standin import vector

class SentenceTransformer:
    def __init__(self, name):
        assert name == "all-MiniLM-L6-v2"

    def encode(self, sentences, *, normalize_embeddings=False):
        if isinstance(sentences, str):
            return vector(sentences, 384, normalize_embeddings)
        return [vector(text, 384, normalize_embeddings) for text in sentences]
PYTHON
module('spacy', <<'PYTHON');
from standin import vector

class Doc:
    def __init__(self, text):
        self.vector = vector(text, 300, False)

class Language:
    pipe_names = ["tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer", "ner"]

    def pipe(self, texts, *, disable=()):
        assert list(disable) == self.pipe_names
        for text in texts:
            yield Doc(text)

def load(name):
    assert name == "en_core_web_md"
    return Language()
PYTHON
module('flair/__init__', '');
module('flair/data', <<'PYTHON');
class Sentence:
    def __init__(self, text):
        self.text = text

    @property
    def embedding(self):
        return self._embedding
PYTHON
module('flair/embeddings', <<'PYTHON');
from standin import vector

class TransformerDocumentEmbeddings:
    def __init__(self, model, *, cls_pooling="cls"):
        assert model == "distilbert-base-uncased" and cls_pooling == "mean"

    def embed(self, sentences):
        assert isinstance(sentences, list) and 0 < len(sentences) <= 32
        for sentence in sentences:
            sentence._embedding = vector(sentence.text, 768, False)
        return sentences
PYTHON

# ----------------------------------------------------------------------
# The guide's tickets
# ----------------------------------------------------------------------

my $node = new_node('main', conf => 'log_statement = none');
$node->safe_psql('postgres', 'CREATE DATABASE shop');
my $do = sub { return $node->safe_psql('shop', $_[0]) };
for my $heading ('A table of tickets', 'Declaring a project', 'The first answers', 'Answers that are there already')
{
	$do->($_) for of('sql', blocks($heading));
}
$do->($begin);
my $tickets = $do->('SELECT count(*) FROM ticket');
my ($labels, $labelled) = split /\|/, $do->(q{SELECT count(*), count(DISTINCT item) FROM hl_labels});
my $filled = 'SELECT count(*), count(embedding) FROM ticket';

my $log = "$modules/log";
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
local $ENV{PGUSER} = $do->('SELECT current_user');
local $ENV{PYTHONPATH} = $modules;
local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
local $ENV{STANDIN_LOG} = $log;

# Starts a script; wait_for it: did it end well, what did it print?
sub start
{
	my ($script) = @_;
	my $run = { out => '', err => '' };

	$run->{handle} = IPC::Run::start([ $python, '-c', $script ], '>', \$run->{out}, '2>', \$run->{err}, IPC::Run::timeout(120));
	return $run;
}

sub wait_for
{
	my ($run) = @_;
	my $ok = IPC::Run::finish($run->{handle});

	return ($ok, $run->{out}, $run->{err});
}

sub run_script
{
	return wait_for(start($_[0]));
}

# The texts that were encoded since the last time
sub encoded
{
	my @lines = -e $log ? split(/\n/, slurp_file($log)) : ();

	unlink $log;
	return @lines;
}

# ----------------------------------------------------------------------
# Each library
# ----------------------------------------------------------------------

my %libraries = (sentence_transformers => 384, spacy => 300, flair => 768);
is(scalar @scripts, keys %libraries, 'a script for each library');
for my $script (@scripts)
{
	my ($library) = grep { $script =~ /^(?:import|from) $_\b/m } keys %libraries;
	my $dims = delete $libraries{$library};
	my ($ok, $out, $err);

	$do->(q{UPDATE ticket SET embedding = NULL; INSERT INTO ticket (id, body) VALUES (3001, ''), (3002, E' \n ')});
	# stopped on the way, in the second batch
	($ok, $out, $err) = do
	{
		local $ENV{STANDIN_BREAKS} = $do->('SELECT body FROM ticket WHERE id = 300');
		run_script($script);
	};
	ok(!$ok && $err =~ /RuntimeError: broken by/, "$library: a script that ends too soon");
	is($do->('SELECT count(*), max(id) FROM ticket WHERE embedding IS NOT NULL'), '256|256', 'has written what it had computed');
	encoded();
	($ok, $out, $err) = run_script($script);
	ok($ok, 'once more') or diag($err);
	is($out, $tickets - 256 . " tickets\n", 'it goes on');
	is(scalar(encoded()), $tickets - 256, 'with the others');
	is($do->($filled), $tickets + 2 . "|$tickets", 'until all that have a text have a vector');
	is($do->('SELECT DISTINCT cardinality(embedding) FROM ticket WHERE embedding IS NOT NULL'), $dims, 'of the right length');

	# side by side
	$do->('UPDATE ticket SET embedding = NULL');
	my @runs = map { start($script) } 1 .. 2;
	my @ends = map { [ wait_for($_) ] } @runs;
	is(scalar(grep { $_->[0] } @ends), 2, 'two at the same time') or diag(map { $_->[2] } @ends);
	is(scalar(encoded()), $tickets, 'share the work');
	($ok, $out, $err) = run_script($script);
	is($do->($filled), $tickets + 2 . "|$tickets", 'and leave nothing');
	is("$ok$out" . encoded(), '10', 'so that there is nothing to do');
	$do->('DELETE FROM ticket WHERE id > 3000');

	# the project
	my @declared = split(/\n/, $do->($declare));
	is("@declared[0, 1]", "meaning|$tickets|vector $labels", 'a project over the vectors takes over the answers');
	like($declared[2], qr/^\d+\|vector\|5\|$labelled$/, 'and learns');
	cmp_ok($do->(q{SELECT avg((p.label = c.says)::int) FROM hl_predict('meaning') p JOIN colleague c ON c.ticket_id = p.item::int}), '>', 0.8, 'each ticket has the vector of its text');
	like($do->($ask), qr/^(?:\d+\|\w+\|.+\n?){3}$/, 'questions come with their texts');

	# what comes later
	is($do->($arrive), "2001|NULL\n2002|NULL", 'new tickets have no vector');
	my $another = "Let $library see that the display of the tent is cracked.";
	is($do->("UPDATE ticket SET body = '$another' WHERE id = 7 RETURNING embedding IS NULL"), 't', 'nor has a text that has changed');
	($ok, $out) = run_script($script);
	is("$ok$out", "13 tickets\n", 'the script sees to that');
	is(join("\n", encoded()), "$another\nThe battery of the tent light does not charge.\nMy card was declined twice.", 'and to nothing else');
	eventually($node, q{SELECT count(*) = 2 AND bool_and(NOT EXISTS (SELECT FROM hl_change c WHERE c.project_id = p.id))
		FROM hl_project p JOIN hl_feature_block b ON b.project_id = p.id, unnest(items) i WHERE name = 'meaning' AND i IN ('2001', '2002')}, 'the worker takes them up', 30, 'shop');
	is($do->(q{SELECT count(*) FROM hl_unencoded('meaning')}), '0', 'all have a vector');
	is($do->($predict) =~ s/\|[01]\.\d\d\|.*//gr, "2001|repair\n2002|billing", 'and are recognised');
	if ($library eq 'sentence_transformers')
	{
		($ok, $out, $err) = run_script($script . $one_text);
		like($out, qr/^\('repair', [01]\.\d+\)$/, 'so is a text that is in no table') or diag($err);
		encoded();
		pgvector();
	}
	$do->($drop);
	is($do->($filled), "$tickets|$tickets", 'as before');
}
is(join(' ', keys %libraries), '', 'all of them');

# ----------------------------------------------------------------------
# A column of pgvector, or of a type that is converted like its own
# ----------------------------------------------------------------------

sub pgvector
{
	my $installed = $do->(q{SELECT count(*) FROM pg_available_extension_versions WHERE name = 'vector' AND version >= '0.7'});

	$do->('CREATE EXTENSION vector') if $installed;
	$do->(q{
		CREATE TYPE halfvec;
		CREATE FUNCTION halfvec_in(cstring) RETURNS halfvec LANGUAGE internal IMMUTABLE STRICT AS 'textin';
		CREATE FUNCTION halfvec_out(halfvec) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
		CREATE FUNCTION halfvec_typmod_in(cstring[]) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
		CREATE TYPE halfvec (INPUT = halfvec_in, OUTPUT = halfvec_out, TYPMOD_IN = halfvec_typmod_in, LIKE = text);
		CREATE FUNCTION to_float4(halfvec) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT translate($1::text, '[]', '{}')::real[] $$;
		CREATE FUNCTION to_halfvec(real[]) RETURNS halfvec LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT translate($1::text, '{}', '[]')::halfvec $$;
		CREATE CAST (halfvec AS real[]) WITH FUNCTION to_float4(halfvec) AS ASSIGNMENT;
		CREATE CAST (real[] AS halfvec) WITH FUNCTION to_halfvec(real[]) AS ASSIGNMENT}) if !$installed;
	my @said = split(/\n/, $do->($column));
	is("@said[0, 1]", 'senses|' . ($tickets + 2) . "|vector $labels", 'a project over a column of pgvector');
	like($said[2], qr/^\d+\|vector\|5\|$labelled$/, 'learns');
	is(scalar(grep { /^\d\|\w+$/ } @said[ 3 .. 5 ]), 3, 'and predicts');
	cmp_ok($do->(q{SELECT avg((p.label = c.says)::int) FROM hl_predict('senses') p JOIN colleague c ON c.ticket_id = p.item::int}), '>', 0.8, 'as well');
	$do->($drop_column);
	$do->($installed ? 'DROP EXTENSION vector' : 'DROP TYPE halfvec CASCADE');
	return;
}

$do->($end);
is($do->(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'ticket'::regclass AND attnum > 0 AND NOT attisdropped}), '3', 'the table is as it was');
is($do->(q{SELECT string_agg(project, ' ') FROM hl_projects}), 'tickets', 'so are the projects');
$node->stop;
done_testing();
