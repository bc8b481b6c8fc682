/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  Other processes that encode for the worker.
 *
 * What is costly about encoding (see encode_ahead) needs nothing but the encoder
 * and the inputs.  So while a source is prepared, the worker lends rows to
 * helpers, background workers as itself, and goes on with others; what
 * they send back it stores as it does its own.  They write nothing, and hold no
 * transaction but to read the encoder.
 *
 * Each has a segment of shared memory with two queues.  It has a batch of rows to
 * compute and another that waits, so that it need not wait for the worker, which
 * looks at the queues between two batches of its own.  A helper that ends, fails,
 * or is silent, loses nothing: the worker still has the rows and encodes them
 * itself.
 *
 * A helper ends when the worker does, or wants it no more, and like the worker
 * when somebody wants the database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "humanloop.h"
#include "store/cache.h"
#include "store/caller.h"
#include "store/feature.h"
#include "store/project.h"
#include "store/session.h"
#include "store/wake.h"
#include "worker/encoding.h"
#include "worker/turn.h"
#include "worker/worker.h"

#define LENT_MOST 2				/* batches a helper has at a time */
#define REQUEST_MOST (256 * 1024)	/* bytes; what is more the worker does itself */
#define SILENT_MS 30000			/* then a helper is given up */
#define NAP_MS 1000

extern PGDLLEXPORT void hl_encoder_main(Datum argument);

/* At the begin of the segment; behind it are the queues. */
typedef struct HelperDesk
{
	Oid			database;
	Oid			extension;
	int64		encoder_id;
	int			ninputs;
	int			ahead_dims;
	char		project[NAMEDATALEN];
	Size		requests;		/* where the queues are */
	Size		answers;
	pg_atomic_uint32 over;		/* nobody waits for an answer any more */
	pg_atomic_uint64 seen;		/* when the helper last did something */
} HelperDesk;

/*
 * A request: this; a head for each input, one row after another; and what they
 * are made of, each where it can be read in place.
 */
typedef struct RequestHead
{
	int64		rows;
} RequestHead;

typedef struct InputHead
{
	int32		text;			/* bytes, or NO_TEXT */
	int32		vector;			/* numbers, or NO_VECTOR */
} InputHead;

#define NO_TEXT (-1)
#define NO_VECTOR (-1)

/* An answer: this, and rows x ahead_dims numbers. */
typedef RequestHead AnswerHead;

/* ---------------------------------------------------------------------- */
/* The worker's side */

typedef struct Helper
{
	dsm_segment *segment;		/* NULL: it is gone */
	BackgroundWorkerHandle *process;
	HelperDesk *desk;
	shm_mq_handle *requests;
	shm_mq_handle *answers;
	WaitingRows *lent[LENT_MOST];	/* in the order of the answers */
	int			nlent;
	bool		sending;		/* the last request is not all in the queue */
	StringInfoData request;
} Helper;

typedef struct Helpers
{
	BatchHelpers interface;		/* first: what others see */
	const EncodingTask *task;
	WaitingRows **back;			/* of helpers that are gone */
	int			nback;
	int			n;
	Helper		helper[FLEXIBLE_ARRAY_MEMBER];
} Helpers;

static Size
answer_bytes(const HelperDesk *desk, int rows)
{
	return sizeof(AnswerHead) + mul_size(mul_size(rows, desk->ahead_dims), sizeof(float));
}

/*
 * The reader of a queue says what it has read only after a quarter of it: so
 * there is always room for what a helper has at a time.
 */
static Size
queue_bytes(Size message)
{
	return MAXALIGN(mul_size(message + 2 * MAXIMUM_ALIGNOF, LENT_MOST + 1)) + shm_mq_minimum_size;
}

static void
say_over(dsm_segment *segment, Datum argument pg_attribute_unused())
{
	pg_atomic_write_u32(&((HelperDesk *) dsm_segment_address(segment))->over, 1);
}

/* NULL where there is no shared memory. */
static dsm_segment *
create_segment(Size bytes)
{
	MemoryContext before = CurrentMemoryContext;
	dsm_segment *volatile segment = NULL;

	PG_TRY();
	{
		segment = dsm_create(bytes, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(before);
		FlushErrorState();
	}
	PG_END_TRY();
	return segment;
}

static bool
start_process(Helper *helper)
{
	BackgroundWorker worker;

	wake_describe_worker(InvalidOid, &worker);
	strlcpy(worker.bgw_name, ENCODER_TYPE, BGW_MAXLEN);
	strlcpy(worker.bgw_type, ENCODER_TYPE, BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, ENCODER_FUNCTION, BGW_MAXLEN);
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(helper->segment));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &helper->process);
}

static void
end_helper(Helper *helper)
{
	dsm_segment *segment = helper->segment;

	helper->segment = NULL;
	if (segment != NULL)
		dsm_detach(segment);
}

/* False: there is no place for another. */
static bool
start_helper(const EncodingTask *task, Helper *helper)
{
	HelperDesk	desk = {
		.database = MyDatabaseId, .extension = task->extension,
		.encoder_id = task->encoder_id, .ninputs = task->ninputs, .ahead_dims = task->ahead_dims
	};
	Size		requests = queue_bytes(REQUEST_MOST);
	Size		answers = queue_bytes(answer_bytes(&desk, BATCH_ROWS));
	char	   *begin;
	shm_mq	   *to;
	shm_mq	   *from;

	desk.requests = MAXALIGN(sizeof(HelperDesk));
	desk.answers = desk.requests + requests;
	strlcpy(desk.project, task->project, sizeof(desk.project));
	helper->segment = create_segment(desk.answers + answers);
	if (helper->segment == NULL)
		return false;
	begin = dsm_segment_address(helper->segment);
	helper->desk = memcpy(begin, &desk, sizeof(desk));
	pg_atomic_init_u32(&helper->desk->over, 0);
	pg_atomic_init_u64(&helper->desk->seen, (uint64) GetCurrentTimestamp());
	on_dsm_detach(helper->segment, say_over, (Datum) 0);
	to = shm_mq_create(begin + desk.requests, requests);
	from = shm_mq_create(begin + desk.answers, answers);
	shm_mq_set_sender(to, MyProc);
	shm_mq_set_receiver(from, MyProc);
	if (!start_process(helper))
	{
		end_helper(helper);
		return false;
	}
	helper->requests = shm_mq_attach(to, helper->segment, helper->process);
	helper->answers = shm_mq_attach(from, helper->segment, helper->process);
	initStringInfo(&helper->request);
	return true;
}

static void
end_helpers(void *argument)
{
	Helpers    *helpers = argument;

	for (int i = 0; i < helpers->n; i++)
		end_helper(&helpers->helper[i]);
}

/* Its rows are ours again. */
static void
lose_helper(Helpers *helpers, Helper *helper)
{
	for (int i = 0; i < helper->nlent; i++)
		helpers->back[helpers->nback++] = helper->lent[i];
	helper->nlent = 0;
	TerminateBackgroundWorker(helper->process);
	end_helper(helper);
}

/* Bytes are padded, so that what follows can be read in place, too. */
static void
append_padded(StringInfo buffer, const void *bytes, Size length)
{
	static const char padding[MAXIMUM_ALIGNOF];

	appendBinaryStringInfo(buffer, bytes, (int) length);
	appendBinaryStringInfo(buffer, padding, (int) (MAXALIGN(length) - length));
}

/* Writes heads first, then what they are of. */
static void
write_request(const EncodingTask *task, const WaitingRows *rows, StringInfo buffer)
{
	RequestHead head = {rows->n};
	EncoderInput inputs[ENCODER_MAX_INPUTS];

	resetStringInfo(buffer);
	append_padded(buffer, &head, sizeof(head));
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < rows->n; i++)
		{
			memset(inputs, 0, sizeof(inputs));
			encoder_inputs(&rows->rows[i].input, inputs, task->ninputs);
			for (int j = 0; j < task->ninputs; j++)
			{
				const EncoderInput *input = &inputs[j];
				InputHead	of = {
					input->text == NULL ? NO_TEXT : (int32) input->length,
					input->vector == NULL ? NO_VECTOR : input->n
				};

				if (pass == 0)
					append_padded(buffer, &of, sizeof(of));
				else if (input->text != NULL)
					append_padded(buffer, input->text, input->length);
				else if (input->vector != NULL)
					append_padded(buffer, input->vector, input->n * sizeof(float));
			}
		}
	}
}

/* At most so many bytes will be sent. */
static Size
request_bytes(const EncodingTask *task, const WaitingRows *rows)
{
	Size		bytes = sizeof(RequestHead);

	for (int i = 0; i < rows->n; i++)
	{
		for (const Input *input = &rows->rows[i].input; input != NULL; input = input->next)
			bytes += input->missing ? 0 : input_bytes(input) + MAXIMUM_ALIGNOF;
	}
	return bytes + sizeof(InputHead) * rows->n * task->ninputs;
}

/* False: it is gone. */
static bool
send_request(Helper *helper)
{
	shm_mq_result result = shm_mq_send(helper->requests, helper->request.len, helper->request.data,
									   true, true);

	helper->sending = result == SHM_MQ_WOULD_BLOCK;
	return result != SHM_MQ_DETACHED;
}

static Helper *
least_busy(Helpers *helpers)
{
	Helper	   *least = NULL;

	for (int i = 0; i < helpers->n; i++)
	{
		Helper	   *helper = &helpers->helper[i];

		if (helper->segment != NULL && !helper->sending && helper->nlent < LENT_MOST &&
			(least == NULL || helper->nlent < least->nlent))
			least = helper;
	}
	return least;
}

static bool
give_rows(BatchHelpers *interface, WaitingRows *rows)
{
	Helpers    *helpers = (Helpers *) interface;
	Helper	   *helper;

	if (request_bytes(helpers->task, rows) > REQUEST_MOST)
		return false;
	while ((helper = least_busy(helpers)) != NULL)
	{
		write_request(helpers->task, rows, &helper->request);
		if (send_request(helper))
		{
			helper->lent[helper->nlent++] = rows;
			return true;
		}
		lose_helper(helpers, helper);
	}
	return false;
}

static bool
is_silent(const Helper *helper)
{
	TimestampTz seen = (TimestampTz) pg_atomic_read_u64(&helper->desk->seen);

	return TimestampDifferenceExceeds(seen, GetCurrentTimestamp(), SILENT_MS);
}

/* Its next answer; NULL: there is none, and if it is gone its rows are ours. */
static const float *
receive_answer(Helpers *helpers, Helper *helper)
{
	const AnswerHead *head;
	Size		bytes;
	void	   *data;

	if (helper->sending && !send_request(helper))
	{
		lose_helper(helpers, helper);
		return NULL;
	}
	switch (shm_mq_receive(helper->answers, &bytes, &data, true))
	{
		case SHM_MQ_SUCCESS:
			head = data;
			if (bytes == answer_bytes(helper->desk, helper->lent[0]->n) &&
				head->rows == helper->lent[0]->n)
				return (const float *) (head + 1);
			break;
		case SHM_MQ_WOULD_BLOCK:
			if (!is_silent(helper))
				return NULL;
			break;
		case SHM_MQ_DETACHED:
			break;
	}
	lose_helper(helpers, helper);
	return NULL;
}

/* The rows that the answer is of. */
static WaitingRows *
first_lent(Helper *helper)
{
	WaitingRows *rows = helper->lent[0];

	helper->nlent--;
	memmove(helper->lent, helper->lent + 1, sizeof(WaitingRows *) * helper->nlent);
	return rows;
}

static WaitingRows *
take_rows(BatchHelpers *interface, bool wait, const float **ahead)
{
	Helpers    *helpers = (Helpers *) interface;

	for (;;)
	{
		bool		lent = false;

		for (int i = 0; i < helpers->n; i++)
		{
			Helper	   *helper = &helpers->helper[i];

			*ahead = helper->nlent == 0 ? NULL : receive_answer(helpers, helper);
			if (*ahead != NULL)
				return first_lent(helper);
			lent = lent || helper->nlent > 0;
		}
		if (helpers->nback > 0)
			return helpers->back[--helpers->nback];
		if (!lent || !wait)
			return NULL;
		/* whoever answers sets our latch */
		worker_nap(NAP_MS);
		turn_take_quickly();
	}
}

BatchHelpers *
encoding_helpers(const EncodingTask *task, int n)
{
	Helpers    *helpers = palloc0(offsetof(Helpers, helper) + sizeof(Helper) * n);
	int			started = 0;

	helpers->interface.give = give_rows;
	helpers->interface.take = take_rows;
	helpers->task = task;
	helpers->back = palloc(sizeof(WaitingRows *) * LENT_MOST * n);
	helpers->n = n;
	at_context_end(CurrentMemoryContext, end_helpers, helpers);
	while (started < n && start_helper(task, &helpers->helper[started]))
		started++;
	return started == 0 ? NULL : &helpers->interface;
}

/* ---------------------------------------------------------------------- */
/* A helper's side */

static HelperDesk *desk;

/* While it computes, and while it waits. */
static void
while_helping(void)
{
	pg_atomic_write_u64(&desk->seen, (uint64) GetCurrentTimestamp());
	worker_heartbeat();
	if (pg_atomic_read_u32(&desk->over) != 0)
		proc_exit(0);
}

/* Until the worker has sent or read something; at most a second. */
static void
wait_for_worker(void)
{
	worker_nap(NAP_MS);
	while_helping();
}

/* NULL: the extension is gone, or somebody is at it. */
static const Encoder *
read_encoder(void)
{
	const Encoder *encoder = NULL;

	transaction_begin();
	if (extension_try_lock() && extension_oid() == desk->extension)
		encoder = encoder_open(desk->encoder_id, false, TopMemoryContext);
	transaction_commit();
	return encoder;
}

/* Inputs of rows, that point to what was sent; how many rows. */
static int
read_request(const char *data, EncoderInput **inputs)
{
	int			rows = (int) ((const RequestHead *) data)->rows;
	int			n = rows * desk->ninputs;
	const InputHead *heads = (const InputHead *) (data + MAXALIGN(sizeof(RequestHead)));
	const char *next = (const char *) (heads + n);

	*inputs = palloc0_array(EncoderInput, n);
	for (int i = 0; i < n; i++)
	{
		EncoderInput *input = *inputs + i;

		if (heads[i].text != NO_TEXT)
		{
			input->text = next;
			input->length = (size_t) heads[i].text;
			next += MAXALIGN(input->length);
		}
		else if (heads[i].vector != NO_VECTOR)
		{
			input->vector = (const float *) next;
			input->n = heads[i].vector;
			next += MAXALIGN(input->n * sizeof(float));
		}
	}
	return rows;
}

static void
answer_request(const Encoder *encoder, Encoding *encoding, const char *data, shm_mq_handle *answers)
{
	EncoderInput *inputs;
	int			rows = read_request(data, &inputs);
	Size		bytes = answer_bytes(desk, rows);
	AnswerHead *answer = palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	answer->rows = rows;
	status_check(encode_ahead(encoder, inputs, desk->ninputs, rows, encoding,
							  (float *) (answer + 1)), "encode rows");
	for (;;)
	{
		switch (shm_mq_send(answers, bytes, answer, true, true))
		{
			case SHM_MQ_SUCCESS:
				return;
			case SHM_MQ_DETACHED:
				proc_exit(0);
			case SHM_MQ_WOULD_BLOCK:
				wait_for_worker();
				break;
		}
	}
}

/* Until the worker wants no more. */
static void
answer_requests(const Encoder *encoder, shm_mq_handle *requests, shm_mq_handle *answers)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "humanloop request",
												  ALLOCSET_DEFAULT_SIZES);
	Caller		caller = caller_in(TopMemoryContext);
	Encoding	encoding;
	Size		bytes;
	void	   *data;

	status_check(encoding_init(&caller, encoder, &encoding), "encode");
	for (;;)
	{
		switch (shm_mq_receive(requests, &bytes, &data, true))
		{
			case SHM_MQ_SUCCESS:
				MemoryContextSwitchTo(context);
				answer_request(encoder, &encoding, data, answers);
				MemoryContextSwitchTo(TopMemoryContext);
				MemoryContextReset(context);
				break;
			case SHM_MQ_DETACHED:
				return;
			case SHM_MQ_WOULD_BLOCK:
				wait_for_worker();
				break;
		}
	}
}

void
hl_encoder_main(Datum argument)
{
	dsm_segment *segment;
	shm_mq_handle *requests;
	shm_mq_handle *answers;
	shm_mq	   *queue;
	const Encoder *encoder;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(argument));
	/* the worker has ended meanwhile */
	if (segment == NULL)
		proc_exit(0);
	desk = dsm_segment_address(segment);
	queue = (shm_mq *) ((char *) desk + desk->requests);
	shm_mq_set_receiver(queue, MyProc);
	requests = shm_mq_attach(queue, segment, NULL);
	queue = (shm_mq *) ((char *) desk + desk->answers);
	shm_mq_set_sender(queue, MyProc);
	answers = shm_mq_attach(queue, segment, NULL);

	BackgroundWorkerInitializeConnectionByOid(desk->database, InvalidOid, 0);
	pgstat_report_appname(ENCODER_TYPE);
	pgstat_report_activity(STATE_RUNNING, psprintf("%s: encoding", desk->project));
	interrupts_hook = while_helping;
	MemoryContextSwitchTo(TopMemoryContext);
	blas_load();
	encoder = read_encoder();
	if (encoder != NULL)
		answer_requests(encoder, requests, answers);
	proc_exit(0);
}
