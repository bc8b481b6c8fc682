/*-------------------------------------------------------------------------
 *
 * ruling.c
 *	  What rules say of a project's rows, as the worker finds it out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "store/rule_votes.h"
#include "store/session.h"
#include "worker/turn.h"
#include "worker/turn_internal.h"

/* What rules say of the rows that are taken up. */
void
take_rules(const Turn *turn)
{
	const Changes *changes = &turn->changes;

	if (changes->all_rows)
	{
		rules_outdate(turn->project);
		return;
	}
	rules_take(turn->project, changes->inserted, changes->ninserted);
	rules_take(turn->project, changes->changed, changes->nchanged);
}

/*
 * Rules that are new, and all where the source was compared as a whole.  They are
 * run in one transaction, as who reads votes must not see half of them.
 */
void
evaluate_rules(Turn *turn)
{
	transaction_begin();
	if (extension_try_lock() && rules_pending(turn->project) && project_try_lock(turn->project))
	{
		turn->doing = "rules";
		report(turn, "running rules");
		rules_evaluate(turn->project);
		turn->done_something = true;
	}
	transaction_commit();
}

/* Nothing says which rows of the source have changed: rules look at all. */
void
follow_rules(const Turn *turn)
{
	transaction_begin();
	if (project_try_lock(turn->project))
	{
		rules_outdate(turn->project);
		rules_evaluate(turn->project);
	}
	transaction_commit();
}
