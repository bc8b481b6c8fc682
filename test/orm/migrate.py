"""Django's migrations of a table that is a source: see test/t/030_shapes.pl.

Connects to the server of PGHOST and PGPORT as PGUSER.  Prints one line a step:
"ok" or the error, and what hl_projects says.
"""
import os
import time

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"], "USER": os.environ["PGUSER"]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()

from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

state = ProjectState()


def query(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def migrate(*operations):
    global state
    migration = migrations.Migration("step", "desk")
    migration.operations = list(operations)
    try:
        with connection.schema_editor(atomic=True) as editor:
            state = migration.apply(state.clone(), editor)
        outcome = "ok"
    except django.db.Error as error:
        outcome = " ".join(str(error).split())
    # the worker may just be at it, which is as good as ready
    print(outcome, *query("SELECT input, key, CASE state WHEN 'training' THEN 'ready' ELSE state END "
                          "FROM hl_projects") or ["no project"], sep=" | ")


migrate(migrations.CreateModel("Ticket", [
    ("id", models.AutoField(primary_key=True)),
    ("body", models.CharField(max_length=200)),
    ("topic", models.TextField(null=True))]))
query("INSERT INTO desk_ticket (body, topic) SELECT (ARRAY['send back the shoes ', 'where is my parcel ', "
      "'charged twice for '])[1 + i % 3] || i, (ARRAY['returns', 'delivery', 'billing'])[1 + i % 3] "
      "FROM generate_series(1, 90) i RETURNING 1")
query("SELECT hl_create_project('desk', 'desk_ticket', 'body')")
query("SELECT hl_label_many('desk', array_agg(id::text), array_agg(topic)) FROM desk_ticket WHERE id <= 30")
query("SELECT hl_train('desk')")
# the worker may be at the same
for _ in range(600):
    if query("SELECT state = 'ready' AND NOT EXISTS (SELECT FROM hl_change c JOIN hl_project p ON p.id = c.project_id "
             "WHERE p.name = 'desk') FROM hl_projects WHERE project = 'desk'")[0]:
        break
    time.sleep(0.1)

migrate(migrations.AlterField("Ticket", "id", models.BigAutoField(primary_key=True)))
migrate(migrations.AlterField("Ticket", "body", models.TextField()))
migrate(migrations.RenameField("Ticket", "body", "message"),
        migrations.AlterField("Ticket", "message", models.CharField(max_length=500)),
        migrations.AddField("Ticket", "extra", models.IntegerField(default=1)))
migrate(migrations.RenameField("Ticket", "id", "number"))
# what the project could not go on with; the error names the view
migrate(migrations.AlterField("Ticket", "message", models.JSONField()))
# a view of the application's own on top of the queue, and the way around it
query("CREATE VIEW mine AS SELECT * FROM hl_queue_desk; SELECT 1")
migrate(migrations.AlterField("Ticket", "message", models.TextField()))
migrate(migrations.RunSQL("DROP VIEW mine; DROP VIEW hl_queue_desk"),
        migrations.AlterField("Ticket", "message", models.TextField()),
        migrations.RunSQL("SELECT hl_refresh('desk'); CREATE VIEW mine AS SELECT * FROM hl_queue_desk"))
print(*query("SELECT count(*) > 0, pg_typeof(min(number)), pg_typeof(min(message)) FROM mine"), sep=" | ")
query("DROP VIEW mine; SELECT 1")
migrate(migrations.RemoveField("Ticket", "message"))
migrate(migrations.AddField("Ticket", "message", models.TextField(default="where is my parcel")))
migrate(migrations.DeleteModel("Ticket"))
