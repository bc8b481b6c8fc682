-- Any script: languages with and without spaces, case, composed and decomposed.
SET client_min_messages = warning;
CREATE TABLE phrase (lang text, topic text, starts text[], things text[]);
INSERT INTO phrase VALUES
	('zh', 'returns', '{我想退货,请帮我退回,如何退换}', '{鞋子,外套,台灯,手机,桌子}'),
	('zh', 'delivery', '{包裹还没有送到,快递什么时候送来,物流没有更新}', '{鞋子,外套,台灯,手机,桌子}'),
	('ja', 'returns', '{返品したいです,返品の方法を教えてください,返品をお願いします}', '{靴,コート,ランプ,電話,机}'),
	('ja', 'delivery', '{荷物がまだ届きません,配達はいつですか,配達が遅れています}', '{靴,コート,ランプ,電話,机}'),
	('th', 'returns', '{ฉันต้องการคืนสินค้า,ขอคืนเงินค่า,วิธีการคืนของ}', '{รองเท้า,เสื้อ,โคมไฟ,โทรศัพท์,โต๊ะ}'),
	('th', 'delivery', '{พัสดุยังไม่มาถึง,การจัดส่งล่าช้า,รอการจัดส่งของ}', '{รองเท้า,เสื้อ,โคมไฟ,โทรศัพท์,โต๊ะ}'),
	('ar', 'returns', '{أريد إرجاع,كيف يمكنني إعادة,أرجو استرجاع}', '{الحذاء,المعطف,المصباح,الهاتف,الطاولة}'),
	('ar', 'delivery', '{لم يصل الطرد مع,متى يتم توصيل,تأخر توصيل}', '{الحذاء,المعطف,المصباح,الهاتف,الطاولة}'),
	('de', 'returns', '{Ich möchte zurückgeben,Rückgabe für,Wie gebe ich zurück}', '{Schuhe,Mäntel,Größentabelle,Türgriff,Öllampe}'),
	('de', 'delivery', '{Paket nicht geliefert für,Wann kommt die Lieferung,Zustellung überfällig für}', '{Schuhe,Mäntel,Größentabelle,Türgriff,Öllampe}'),
	('ru', 'returns', '{хочу вернуть,как оформить возврат,примите обратно}', '{ботинки,куртку,лампу,телефон,стол}'),
	('ru', 'delivery', '{посылка не пришла,когда доставят,задержка доставки на}', '{ботинки,куртку,лампу,телефон,стол}');
CREATE TABLE message (id int PRIMARY KEY, lang text, topic text, body text);
INSERT INTO message SELECT row_number() OVER (ORDER BY i, lang COLLATE "C", topic COLLATE "C"), lang, topic,
	starts[1 + i % 3] || CASE WHEN lang IN ('zh', 'ja', 'th') THEN '' ELSE ' ' END || things[1 + i % 5] || CASE i / 15 WHEN 0 THEN '' ELSE '!' END
FROM phrase, generate_series(0, 29) i;

-- One project a language: half is labelled, the other half predicted.
CREATE FUNCTION learn(language text) RETURNS TABLE (lang text, labels int, accurate boolean, unseen_right boolean) LANGUAGE plpgsql AS $$
DECLARE
	t hl_training;
BEGIN
	EXECUTE format('CREATE VIEW in_%s AS SELECT id, body FROM message WHERE lang = %L', language, language);
	PERFORM hl_create_project(language, ('in_' || language)::regclass, 'body', 'id');
	PERFORM hl_label_many(language, array_agg(id::text), array_agg(topic)) FROM message m WHERE m.lang = language AND id <= 180;
	t := hl_train(language);
	RETURN QUERY SELECT language, t.labels, t.accuracy > 0.9,
		(SELECT count(*) FILTER (WHERE p.label = m.topic) >= 0.95 * count(*) FROM message m, hl_predict(language, m.body) p WHERE m.lang = language AND m.id > 180);
END $$;
SELECT l.* FROM unnest('{zh,ja,th,ar,de,ru}'::text[]) language, learn(language) l;
-- new texts of a few characters, no spaces anywhere
SELECT lang, text, p.label FROM (VALUES ('zh', '我要退货'), ('zh', '快递没有送到'), ('ja', '返品できますか'), ('ja', '荷物が届かない'), ('th', 'คืนสินค้า'), ('th', 'จัดส่งช้า'),
	('ar', 'إرجاع'), ('ar', 'توصيل'), ('ru', 'ВОЗВРАТ'), ('ru', 'Доставка')) v(lang, text), hl_predict(v.lang, v.text) p;

-- Upper and lower case, and composed or decomposed letters, are the same text.
SELECT hl_embed('de', 'RÜCKGABE FÜR ÖLLAMPE') = hl_embed('de', 'rückgabe für öllampe') AS german,
	hl_embed('ru', 'КАК ОФОРМИТЬ ВОЗВРАТ') = hl_embed('ru', 'как оформить возврат') AS russian,
	hl_embed('de', 'GRÖSSENTABELLE') = hl_embed('de', 'Größentabelle') AS sharp_s;
SELECT hl_embed('de', normalize('zurückgeben möchte Öllampe', NFD)) = hl_embed('de', normalize('zurückgeben möchte Öllampe', NFC)) AS german,
	hl_embed('ja', normalize('ランプが届きません', NFD)) = hl_embed('ja', 'ランプが届きません') AS japanese,
	hl_embed('ar', normalize('أريد إرجاع', NFD)) = hl_embed('ar', 'أريد إرجاع') AS arabic;
-- but not everything is the same
SELECT hl_embed('de', 'Mäntel') = hl_embed('de', 'Schuhe') AS words, hl_embed('zh', '退货') = hl_embed('zh', '快递') AS characters;

-- All languages in one project.
SELECT project FROM hl_create_project('all_of_them', 'message', 'body');
SELECT hl_label_many('all_of_them', array_agg(id::text), array_agg(topic)) FROM message WHERE id <= 180;
SELECT labels, accuracy > 0.85 AS accurate FROM hl_train('all_of_them');
SELECT m.lang, count(*) FILTER (WHERE p.label = m.topic) >= 0.9 * count(*) AS right FROM message m JOIN hl_predict('all_of_them') p ON p.item::int = m.id WHERE m.id > 180 GROUP BY 1 ORDER BY 1;

-- Classes, annotators and items in any script, too.
CREATE TABLE 消息 (编号 text PRIMARY KEY, 正文 text);
INSERT INTO 消息 SELECT '号' || id, body FROM message WHERE lang = 'zh';
SELECT project FROM hl_create_project('zh2', '消息', '正文', classes => '{退货,物流}');
SET humanloop.annotator = '张三';
SELECT hl_label_many('zh2', array_agg('号' || id), array_agg(CASE topic WHEN 'returns' THEN '退货' ELSE '物流' END)) FROM message WHERE lang = 'zh' AND id <= 180;
SELECT classes FROM hl_train('zh2');
SELECT label FROM hl_predict('zh2', '我要退货');
SELECT annotator, count(*) FROM hl_labels WHERE project = 'zh2' GROUP BY 1;
SELECT 编号 LIKE '号%' AS key, 正文 <> '' AS input, suggestion IN ('退货', '物流') AS suggested FROM hl_queue_zh2 ORDER BY rank LIMIT 1;
SELECT error_of($$SELECT hl_label('zh2', '号999', '退货')$$);
SELECT error_of($$SELECT hl_label('zh2', (SELECT min(编号) FROM 消息), '退貨')$$);
RESET humanloop.annotator;

SELECT count(hl_drop_project(project)::text) FROM hl_projects;
DROP TABLE phrase, message, 消息 CASCADE;
DROP FUNCTION learn;
