-- What the other tests share: the extension, texts to learn from, and a way
-- to see SQLSTATE, message, detail and hint of an error.
SET client_min_messages = warning;
CREATE EXTENSION humanloop;

-- Runs a statement that shall fail; also proves that an error inside a
-- subtransaction leaves the session as it was.
CREATE FUNCTION error_of(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	role_before name := current_user;
	path_before text := current_setting('search_path');
	message text;
	detail text;
	hint text;
BEGIN
	BEGIN
		EXECUTE statement;
		RETURN 'no error';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
			hint = PG_EXCEPTION_HINT;
		IF current_user <> role_before OR current_setting('search_path') <> path_before THEN
			RETURN 'role or search_path are not as before';
		END IF;
		RETURN concat_ws(E'\n', SQLSTATE || ' ' || message, '  DETAIL: ' || nullif(detail, ''),
						 '  HINT: ' || nullif(hint, ''));
	END;
END
$$;

-- Tickets of a support desk.  Three classes of some 150 texts each are told
-- apart by the first words and share the rest; every seventh is of two
-- classes at once and labelled as one of them by turns.
CREATE FUNCTION tickets(n int)
RETURNS TABLE (id int, body text, topic text, ambiguous boolean)
LANGUAGE sql STABLE AS $$
	WITH phrase(topic, class, texts) AS (VALUES
		('returns', 0, ARRAY['I want to send back', 'please take back', 'how can I return', 'I do not like and return']),
		('delivery', 1, ARRAY['where is the parcel with', 'the courier has not brought', 'still waiting for shipment of', 'tracking shows no movement for']),
		('billing', 2, ARRAY['I was charged twice for', 'the invoice is wrong for', 'my card was debited for', 'the price on the bill is not right for'])),
	thing(texts) AS (VALUES (ARRAY['the shoes', 'the jacket', 'the lamp', 'a phone', 'the table', 'two books', 'the kettle'])),
	tail(texts) AS (VALUES (ARRAY['', ', please help', ', it is urgent', ', thank you', ', as I wrote before']))
	SELECT i, CASE WHEN i % 7 = 0
			THEN a.texts[1 + i / 3 % 4] || ' and also ' || b.texts[1 + i / 5 % 4]
			ELSE a.texts[1 + i / 3 % 4] END
		|| ' ' || thing.texts[1 + i / 2 % 7] || tail.texts[1 + i / 11 % 5] || ' (order ' || 1000 + i || ')',
		CASE WHEN i % 7 = 0 AND i % 2 = 0 THEN b.topic ELSE a.topic END,
		i % 7 = 0
	FROM generate_series(1, n) i
	JOIN phrase a ON a.class = i % 3
	JOIN phrase b ON b.class = (i + 1) % 3
	CROSS JOIN thing CROSS JOIN tail
$$;

-- They are what the tests say they are.
SELECT topic, count(*), count(*) FILTER (WHERE ambiguous) AS ambiguous, count(DISTINCT body)
FROM tickets(420) GROUP BY topic ORDER BY topic;
SELECT body FROM tickets(7) ORDER BY id;
