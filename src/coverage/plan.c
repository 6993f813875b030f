/*
 * plan.c: parallel plans for FROM node, field.
 *
 * A query that asks a stored field about every row of a large table joins it without
 * a condition:
 *     SELECT sum(coverage_sum(f.price, location, radius_m)) FROM node, field f
 * The server knows only two ways to do that in parallel workers: to scan the field
 * anew for each row, which it finds too dear, and from 18 on to keep its rows at hand.
 * Before 18 it so plans none, and one processor does the work of all. Here it is
 * shown the second way, as 18 has it, for joins whose inner side has a field.
 */
#include "coverage/plan.h"

#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"

#if PG_VERSION_NUM < 180000
static set_join_pathlist_hook_type next_hook;

/* The type coverage, known as soon as a query with one of its functions is planned. */
static Oid	coverage_type = InvalidOid;

/* Is one of the columns that are wanted of a relation a field? */
static bool
has_field(const RelOptInfo *rel)
{
	ListCell   *cell;

	foreach(cell, rel->reltarget->exprs)
		if (exprType(lfirst(cell)) == coverage_type)
			return true;
	return false;
}

/* Adds the path: the outer relation shared among workers, the inner one's rows kept by each. */
static void
add_parallel_join(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel, RelOptInfo *innerrel,
				  JoinType jointype, JoinPathExtraData *extra)
{
	JoinCostWorkspace workspace;
	Path	   *outer,
			   *inner = innerrel->cheapest_total_path;

	if (next_hook)
		next_hook(root, joinrel, outerrel, innerrel, jointype, extra);
	if ((jointype != JOIN_INNER && jointype != JOIN_LEFT) || !enable_nestloop || !enable_material ||
		!OidIsValid(coverage_type) || !has_field(innerrel) ||
		!joinrel->consider_parallel || outerrel->partial_pathlist == NIL || !bms_is_empty(joinrel->lateral_relids) ||
		inner == NULL || !inner->parallel_safe || inner->param_info != NULL)
		return;
	outer = linitial(outerrel->partial_pathlist);
	inner = (Path *) create_material_path(innerrel, inner);
	initial_cost_nestloop(root, &workspace, jointype, outer, inner, extra);
	add_partial_path(joinrel, (Path *)
					 create_nestloop_path(root, joinrel, jointype, &workspace, extra, outer, inner, extra->restrictlist,
										  build_join_pathkeys(root, joinrel, jointype, outer->pathkeys), NULL));
}
#endif

/* Called when the library is loaded. */
void
sr_plan_init(void)
{
#if PG_VERSION_NUM < 180000
	next_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = add_parallel_join;
#endif
}

/*
 * The planner's questions about functions of fields. There is no answer: to be asked
 * is what matters, as that loads the library before joins are planned.
 */
SR_FUNCTION(coverage_support);
Datum
coverage_support(PG_FUNCTION_ARGS)
{
#if PG_VERSION_NUM < 180000
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestSimplify))
		coverage_type = exprType(linitial(((SupportRequestSimplify *) request)->fcall->args));
#else
	(void) fcinfo;
#endif
	PG_RETURN_POINTER(NULL);
}
