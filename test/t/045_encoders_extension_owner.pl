# Imported encoders where the extension's owner is no superuser any more: files are
# read as whoever imports, rows are encoded as the project's owner, and the owner of
# the extension has nothing of it but its tables.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use Humanloop;
use PostgreSQL::Test::Utils;
use Test::More;
use Transformer;

# one is long enough for a file that sessions share
my $node = new_node('main', conf => "autovacuum = off\nhumanloop.work_mem = 512MB\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

sub query { return $node->safe_psql('postgres', $_[0]) }

sub refused
{
	my ($role, $statement, $state, $what) = @_;

	is(sqlstate($node, "SET ROLE $role; $statement"), $state, $what);
	return;
}

write_transformer("$dir/small");
write_transformer("$dir/large", width => 256, seed => 2);

query(q{DROP EXTENSION humanloop;
	CREATE ROLE installer SUPERUSER LOGIN; CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE eve; CREATE ROLE reader IN ROLE pg_read_server_files;
	CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA bob AUTHORIZATION bob;
	GRANT USAGE ON SCHEMA alice, bob TO PUBLIC;
	SET ROLE installer; CREATE EXTENSION humanloop});
query(qq{SET ROLE installer; SELECT hl_import_encoder('before', 'transformer', path => '$dir/small')});
query(q{ALTER ROLE installer NOSUPERUSER});
is(query(q{SELECT extowner::regrole, rolsuper FROM pg_extension JOIN pg_roles r ON r.oid = extowner WHERE extname = 'humanloop'}), 'installer|f', 'the owner is no superuser');

# ----------------------------------------------------------------------
# Whoever imports reads, and nobody else
# ----------------------------------------------------------------------

# Her files in a table; a view over them says who looks at it.
query(qq{
	CREATE TABLE alice.file AS SELECT file, 0 AS part, pg_read_binary_file('$dir/small/' || file) AS data FROM unnest('{config.json,vocab.txt,model.safetensors}'::text[]) file;
	ALTER TABLE alice.file OWNER TO alice;
	SET ROLE alice;
	CREATE TABLE alice.seen (who name, path text);
	CREATE FUNCTION alice.look(name text) RETURNS text LANGUAGE plpgsql AS \$\$BEGIN INSERT INTO alice.seen VALUES (current_user, current_setting('search_path')); RETURN name; END\$\$;
	CREATE VIEW alice.shown AS SELECT alice.look(file) AS file, part, data FROM alice.file;
	CREATE FUNCTION alice.spy(name text) RETURNS text LANGUAGE plpgsql AS \$\$BEGIN PERFORM FROM hl_encoder_part; RETURN name; END\$\$;
	CREATE VIEW alice.spying AS SELECT alice.spy(file) AS file, part, data FROM alice.file;
	CREATE FUNCTION alice.become(name text) RETURNS text LANGUAGE plpgsql AS \$\$BEGIN SET ROLE installer; RETURN name; END\$\$;
	CREATE VIEW alice.becoming AS SELECT alice.become(file) AS file, part, data FROM alice.file;
	CREATE TABLE alice.line AS SELECT line FROM (VALUES ('parcel 0.5 1 0'), ('charged 0 0.25 1'), ('shoes 1 1 -1'), ('order 0.1 0.1 0.1')) v(line);});
is(query(q{SET ROLE alice; SELECT encoder, dims FROM hl_import_encoder('shown', 'transformer', staging => 'alice.shown')}), 'shown|32', 'from a view');
is(query(q{SELECT DISTINCT who FROM alice.seen; SELECT count(*) FROM alice.seen WHERE path ~ 'pg_temp'}), "alice\n0", 'which is read as who imports, with her own settings');
is(query(q{SET ROLE alice; SELECT encoder, dims FROM hl_import_encoder('words', 'word_vectors', staging => 'alice.line')}), 'words|3', 'from lines');
refused('alice', q{SELECT hl_import_encoder('x', 'transformer', staging => 'alice.spying')}, '42501', 'a view looks into no table of the extension');
# to become him is allowed to nobody who may not
refused('alice', q{SET SESSION AUTHORIZATION alice; SELECT hl_import_encoder('x', 'transformer', staging => 'alice.becoming')}, '42501', 'nor becomes its owner');
refused('installer', q{SELECT hl_import_encoder('x', 'transformer', staging => 'alice.file')}, '42501', 'to the owner of the extension her table is closed');
refused('installer', q{SELECT hl_import_encoder('x', 'word_vectors', staging => 'alice.line')}, '42501', 'and her lines');
refused('bob', q{SELECT hl_import_encoder('x', 'transformer', staging => 'alice.file')}, '42501', 'as to anybody');
# rows that a policy hides
query(q{SET ROLE alice; GRANT SELECT ON alice.file TO installer, bob; ALTER TABLE alice.file ENABLE ROW LEVEL SECURITY; CREATE POLICY hers ON alice.file TO bob USING (file <> 'vocab.txt')});
is(query(q{SET ROLE alice; SELECT encoder FROM hl_import_encoder('hers', 'transformer', staging => 'alice.file')}), 'hers', 'her own policy does not stop her');
refused('bob', q{SELECT hl_import_encoder('x', 'transformer', staging => 'alice.file')}, '58P01', 'a file that is hidden is missing');
refused('installer', q{SELECT hl_import_encoder('x', 'transformer', staging => 'alice.file')}, '22023', 'and to him they all are');

# Large objects
my $objects = query(q{SET ROLE alice; SELECT jsonb_object_agg(file, lo_from_bytea(0, data)::oid::int8) FROM alice.file});
is(query("SET ROLE alice; SELECT encoder FROM hl_import_encoder('objects', 'transformer', large_objects => '$objects')"), 'objects', 'from large objects');
refused($_, "SELECT hl_import_encoder('x', 'transformer', large_objects => '$objects')", '42501', "which $_ may not read") for 'installer', 'bob';

# Files of the server
refused($_, "SELECT hl_import_encoder('x', 'transformer', path => '$dir/small')", '42501', "$_ may not read files of the server") for 'installer', 'alice';
is(query("SET ROLE reader; SELECT encoder, dims FROM hl_import_encoder('large', 'transformer', path => '$dir/large')"), 'large|256', 'a reader may');
is(query(q{SELECT encoder, owner FROM hl_encoders ORDER BY 1}), "before|installer\nhers|alice\nlarge|reader\nobjects|alice\nshown|alice\nwords|alice", 'each has their own');
is(query(q{SELECT count(*) FROM hl_encoder WHERE name = 'x'}), '0', 'nothing is left of the others');

# ----------------------------------------------------------------------
# Who may use and drop them
# ----------------------------------------------------------------------

is(query(q{SET ROLE installer; SELECT encoder FROM hl_encoders}), 'before', 'he sees what he has imported');
for my $statement (q{SELECT hl_embed('shown', 'parcel')}, q{SELECT hl_share_encoder('shown')}, q{SELECT hl_drop_encoder('shown')})
{
	refused('installer', $statement, '42704', "and no other: $statement");
}
query(q{SET ROLE reader; SELECT hl_share_encoder('large'); SET ROLE alice; SELECT hl_share_encoder('shown'), hl_share_encoder('words')});
for my $statement (q{SELECT hl_share_encoder('shown', false)}, q{SELECT hl_drop_encoder('shown')})
{
	refused('installer', $statement, '42501', "what is shared stays hers: $statement");
	refused('eve', $statement, '42501', "to eve, too: $statement");
}
is(query(q{SET ROLE eve; SELECT cardinality(hl_embed('shown', 'the parcel')); SELECT string_agg(encoder, ' ' ORDER BY encoder) FROM hl_encoders}), "32\nlarge shown words", 'everybody uses it');
refused('eve', q{SELECT hl_embed('hers', 'the parcel')}, '42704', 'and not what is not shared');
refused('eve', q{SELECT FROM hl_encoder_part}, '42501', 'nor the tables');
is(query(q{SET ROLE installer; SELECT hl_embed('before', 'the parcel') = hl_embed('shown', 'the parcel')}), 't', 'his own still encodes');
# A file that all sessions map: it is the server's, whoever is first
my @shared = sub { glob $node->data_dir . '/base/pgsql_tmp/pgsql_tmp_humanloop*' };
is(scalar(my @none = $shared[0]->()), 0, 'there is no file of a large one');
my $vector = query(q{SET ROLE eve; SELECT hl_embed('large', 'where is the parcel')});
is(scalar(my @one = $shared[0]->()), 1, 'the first who uses it makes it');
is(query(q{SET ROLE bob; SELECT hl_embed('large', 'where is the parcel')}), $vector, 'another takes it');
query(q{SET ROLE reader; SELECT hl_share_encoder('large', false)});
refused('bob', q{SELECT hl_embed('large', 'where is the parcel')}, '42704', 'the file gives away nothing that is not shared any more');
query(q{SET ROLE reader; SELECT hl_share_encoder('large')});

# ----------------------------------------------------------------------
# A project with a shared encoder, whose source is a view with functions
# ----------------------------------------------------------------------

query(q{SET ROLE bob;
	CREATE TABLE bob.seen (who name);
	CREATE FUNCTION bob.look(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO bob.seen VALUES (current_user); RETURN true; END$$;
	CREATE TABLE bob.raw (id int PRIMARY KEY, body text);
	INSERT INTO bob.raw SELECT i, (ARRAY['where is the parcel ', 'I was charged twice '])[1 + i % 2] || (ARRAY['one', 'two', 'three'])[1 + i % 3] FROM generate_series(1, 60) i;
	CREATE VIEW bob.shown AS SELECT id, body FROM bob.raw WHERE bob.look(id);
	SELECT FROM hl_create_project('notes', 'bob.shown', 'body', 'id', encoder => 'shown');
	SELECT FROM hl_create_project('any', 'bob.raw', 'body');
	SELECT hl_label_many(p, array_agg(id::text), array_agg('class ' || id % 2)) FROM bob.raw, unnest('{notes,any}'::text[]) p WHERE id <= 40 GROUP BY p;});
eventually($node, q{SELECT count(*) = 2 FROM hl_serving WHERE model IS NOT NULL AND NOT EXISTS (SELECT FROM hl_change)}, 'the worker trains', 60);
is(query(q{SELECT e.name, e.uses = ARRAY[(SELECT id FROM hl_encoder WHERE name = 'shown' AND project_id IS NULL)] FROM hl_encoder e JOIN hl_serving s ON s.encoder_id = e.id JOIN hl_project p ON p.id = s.project_id WHERE p.name = 'notes'}), 'shown|t', 'with the encoder that is hers');
eventually($node, q{SELECT tried IS NOT NULL FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE p.name = 'any'}, 'encoders are compared', 60);
is(query(q{SELECT string_agg(t ->> 'encoder', ' ' ORDER BY t ->> 'encoder') FROM hl_serving s JOIN hl_project p ON p.id = s.project_id, jsonb_array_elements(tried) t WHERE p.name = 'any' AND t ->> 'encoder' ~ 'before|hers|objects|shown'}), 'text+shown', 'of which the project\'s owner may use those that are shared');
query(q{SET ROLE bob; INSERT INTO bob.raw VALUES (100, 'where is the parcel two'); SELECT hl_refresh('notes'), hl_label('notes', 100, 'class 0')});
eventually($node, q{SELECT revision > 0 AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving s JOIN hl_project p ON p.id = s.project_id WHERE name = 'notes'}, 'a new row is encoded, and learned', 20);
is(query(q{SET ROLE bob; SELECT count(*) FROM hl_predict('notes'); SELECT label FROM hl_predict('notes', 'where is the parcel three'); SELECT cardinality(hl_embed('notes', 'where is the parcel three'))}), "61\nclass 0\n32", 'it answers');
refused('installer', q{SELECT hl_embed('notes', 'where is the parcel')}, '42501', 'to others the project answers nothing');
refused('installer', q{SELECT hl_set_encoder('notes', 'before')}, '42501', 'which they do not change');
refused('bob', q{SELECT hl_set_encoder('notes', 'before')}, '42704', 'its owner cannot give it what he may not use');
refused('bob', q{SELECT hl_set_encoder('notes', 'text+hers')}, '42704', 'not as a part either');
refused('alice', q{SELECT hl_drop_encoder('shown')}, '2BP01', 'what is used cannot be dropped');

# Another encoder, in the background.
query(q{SET ROLE bob; SELECT hl_set_encoder('notes', 'text+large')});
eventually($node, q{SELECT e.name = 'text+large' AND NOT EXISTS (SELECT FROM hl_change) FROM hl_serving s JOIN hl_project p ON p.id = s.project_id JOIN hl_encoder e ON e.id = s.encoder_id WHERE p.name = 'notes'}, 'another encoder', 60);
is(query(q{SELECT DISTINCT who FROM bob.seen}), 'bob', 'what is in the source runs as bob');
is(query(q{SELECT count(*) FROM hl_work WHERE failures > 0; SELECT DISTINCT who FROM alice.seen}), "0\nalice", 'nothing fails, and nobody has looked at the files again');
# It is shared no more: what serves goes on, and is trained again.
query(q{SET ROLE reader; SELECT hl_share_encoder('large', false)});
is(query(q{SET ROLE bob; SELECT encoder FROM hl_train('notes'); SELECT label FROM hl_predict('notes', 'where is the parcel three')}), "text+large\nclass 0", 'what a project has it keeps');
refused('reader', q{SELECT hl_drop_encoder('large')}, '2BP01', 'so it stays');

# ----------------------------------------------------------------------
# What he puts on his tables runs as himself, also when a superuser comes by
# ----------------------------------------------------------------------

query(q{GRANT CREATE ON SCHEMA public TO installer; SET SESSION AUTHORIZATION installer;
	CREATE TABLE caught (who name, state text);
	CREATE FUNCTION catch() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			SET LOCAL ROLE postgres;
			INSERT INTO public.caught VALUES (current_user, 'became');
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO public.caught VALUES (current_user, SQLSTATE);
		END;
		RETURN NULL;
	END$$;
	CREATE TRIGGER catch AFTER INSERT OR UPDATE OR DELETE ON hl_encoder FOR EACH STATEMENT EXECUTE FUNCTION catch();
	CREATE TRIGGER catch AFTER INSERT OR UPDATE OR DELETE ON hl_encoder_part FOR EACH STATEMENT EXECUTE FUNCTION catch();});
query(qq{SELECT hl_import_encoder('super', 'transformer', path => '$dir/small'); SELECT hl_share_encoder('super'); SELECT hl_embed('super', 'parcel') IS NULL; SELECT hl_drop_encoder('super')});
is(query(q{SELECT count(*) > 3, min(who), max(who), string_agg(DISTINCT state, ' ') FROM caught}), 't|installer|installer|42501', 'a trigger of his');
query(q{DROP TRIGGER catch ON hl_encoder; DROP TRIGGER catch ON hl_encoder_part; DROP FUNCTION catch; DROP TABLE caught; REVOKE CREATE ON SCHEMA public FROM installer});

# ----------------------------------------------------------------------
# Handed over
# ----------------------------------------------------------------------

query(q{CREATE ROLE heir SUPERUSER; REASSIGN OWNED BY installer TO heir; ALTER ROLE heir NOSUPERUSER});
is(query(q{SET ROLE heir; SELECT count(*) FROM hl_encoders; SELECT count(*) > 5 FROM hl_encoder}), "2\nt", 'another has the tables, and no encoders for that');
refused('heir', q{SELECT hl_drop_encoder('before')}, '42704', 'his who had them stay his');
is(query(q{SET ROLE installer; SELECT cardinality(hl_embed('before', 'parcel')); SELECT hl_share_encoder('before')}), "32\n", 'he has them');
refused('installer', q{SELECT FROM hl_encoder}, '42501', 'but not the tables');
query(q{SET ROLE bob; SELECT hl_set_encoder('notes', 'before')});
eventually($node, q{SELECT e.name = 'before' FROM hl_serving s JOIN hl_project p ON p.id = s.project_id JOIN hl_encoder e ON e.id = s.encoder_id WHERE p.name = 'notes'}, 'the worker goes on', 60);
query(q{REVOKE SELECT ON alice.file FROM installer; DROP ROLE installer});
is(query(q{SET ROLE bob; SELECT owner IS NULL FROM hl_encoders WHERE encoder = 'before'; SELECT label FROM hl_predict('notes', 'where is the parcel three')}), "t\nclass 0", 'without him it is nobody\'s, and serves');
refused('heir', q{SELECT hl_drop_encoder('before')}, '42501', 'it is not his who has the tables');
is(query(q{SELECT count(*) FROM hl_work WHERE failures > 0; SELECT DISTINCT who FROM bob.seen}), "0\nbob", 'nothing has failed');
query(q{SET ROLE bob; SELECT hl_drop_project('notes'), hl_drop_project('any'); SET ROLE reader; SELECT hl_drop_encoder('large'); RESET ROLE; SELECT hl_drop_encoder(encoder) FROM hl_encoders});
is(query(q{SELECT count(*) FROM hl_encoder_part}) . scalar(my @gone = $shared[0]->()), '00', 'all can be dropped, the file too');

$node->stop;
done_testing();
