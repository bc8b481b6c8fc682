/*-------------------------------------------------------------------------
 *
 * train_held_out.c
 *	  The second model of a training, for sets of labels: see
 *	  learn/held_out.c.
 *
 * Rows to come are like those of the audit, and like other labelled rows only
 * as far as these were not chosen.  So rows of the audit are kept from it, where
 * there are enough of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "humanloop.h"
#include "store/caller.h"
#include "store/handover.h"
#include "store/parts.h"
#include "store/session.h"
#include "store/train.h"

/* It is stored in one value. */
#define HELD_OUT_BYTES (64 * 1024 * 1024)

/* Of the seed: other rows than a fold of the cross-validation has. */
#define SEED_SALT UINT64CONST(0x68656c646f757421)

/* Is there as much memory as it takes, beside what the training holds? */
static bool
is_affordable(const Training *training, const TrainOptions *options)
{
	const RowsBuilder *rows = &training->rows;
	size_t		bytes = rows_bytes(rows) +
		held_out_memory(rows->n, rows->rows.dims, rows->rows.parts, rows->terms,
						rows->rows.sparse_dims, training->nclasses, options);

	return bytes / 1024 <= (size_t) setting_work_mem;
}

/* Rows to keep from it, and whether they are of the audit; false: too few. */
static bool
choose_rows(const Training *training, const Caller *caller, bool *held, bool *audited)
{
	int			n = training->rows.n;
	bool	   *may = palloc_array_checked(bool, n);
	int			count;

	*audited = training->naudited >= CONFORMAL_LEAST;
	/* those that only rules have labelled tell nothing of how good it is */
	for (int i = 0; i < n; i++)
		may[i] = i < training->answered && (!*audited || training->audited[i]);
	count = held_out_choose(caller, may, n, CONFORMAL_LEAST,
							(uint64) training->project->options.random_seed ^ SEED_SALT, held);
	pfree(may);
	return count > 0;
}

void
train_hold_out(Training *training, const TrainOptions *options)
{
	const Rows *rows = rows_finish(&training->rows);
	Caller		caller = caller_in(training->context);
	bool	   *held = palloc_array_checked(bool, rows->n);
	float		share[MODEL_MAX_PARTS];
	TrainOptions again;
	bool		audited;

	if (training->project->options.prediction_sets == 1 &&
		choose_rows(training, &caller, held, &audited) && is_affordable(training, options))
	{
		train_options_again(training, options, share, &again);
		status_check(held_out_train(&caller, rows, training->label, training->nclasses, &again,
									model_scale(training->model),
									training->validation.probability, held, &training->held_out),
					 "train");
		training->held_out.audited = audited;
	}
	pfree(held);
}

Datum
train_held_out_value(const Training *training, bool *isnull)
{
	Caller		caller = caller_in(training->context);
	Writer		writer;

	*isnull = training->held_out.model == NULL;
	if (*isnull)
		return (Datum) 0;
	writer_init(&writer, &caller);
	status_check(held_out_write(&training->held_out, &writer), "store the model");
	*isnull = writer.length > HELD_OUT_BYTES;
	return *isnull ? (Datum) 0 : bytes_seal(&writer);
}
