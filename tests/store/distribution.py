"""What a distributed Postgres (Citus 13) refuses, as rules over a statement's parse tree: the
statement is taken apart into queries, itself and every step of a WITH that is computed on its own
(MATERIALIZED, or one that writes).
"""

# Size: the rules of one checker, and how it reads a tree.

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pglast import ast, enums, parse_sql

from app.store import placement
from app.store.schema import METADATA

DISTRIBUTED, REFERENCE, LOCAL = placement.DISTRIBUTED, placement.REFERRED, placement.LOCAL
# Tables of one connection: those of the rollups' workspace, and those of a rotation.
WORKSPACE: Final = {
    *("marks", "signals", "contributions", "retracted", "stored"),
    *("wrapped", "alone", "moved_tombstones"),
}
KINDS: Final = dict.fromkeys([*METADATA.tables, *WORKSPACE], LOCAL) | placement.kinds()
PARTITION: Final = re.compile("^(events|rejections)_(p[0-9]{8}|default)$")
PLACES: Final = {"ctid", "xmin", "xmax", "tableoid"}
MATERIALIZED: Final = enums.CTEMaterialize.CTEMaterializeAlways
INNER: Final = enums.JoinType.JOIN_INNER
WRITES: Final = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)


@dataclass
class Scope:
    """The steps of the WITHs around a query, by name, and what is wrong so far."""

    steps: dict[str, tuple[Any, "Scope"]] = field(default_factory=dict)

    def within(self, node: Any) -> "Scope":
        """The scope of a query: that around it, and its own WITH."""
        clause = getattr(node, "withClause", None)
        if clause is None:
            return self
        inner = Scope(dict(self.steps))
        for step in clause.ctes:
            inner.steps[step.ctename] = (step, Scope(dict(inner.steps)))
        return inner


def to_sql(statement: str) -> str:
    """A statement as SQLAlchemy or psycopg take it, with numbers for its parameters."""
    statement = re.sub(r"%\(\w+\)s|(?<![:\w]):[a-z]\w*", "$1", statement)
    return statement.replace("%%", "%")


def find_faults(statement: str) -> list[str]:
    """The rules that a statement breaks; those of other kinds than queries break none."""
    statements = [each.stmt for each in parse_sql(to_sql(statement))]
    if any(is_a(each, ast.WithClause) and each.recursive for each in walk(tuple(statements))):
        return ["recursion"]
    faults = ["several statements an execute"] if len(statements) > 1 else []
    for each in statements:
        for query, scope in queries(each, Scope()):
            faults += check(query, scope)
        faults += [fault for node in walk(each) for fault in check_node(node)]
        faults += check_reference(each)
    return sorted(set(faults))


def is_a(node: Any, kind: Any) -> bool:  # which attributes may be missing is pglast's affair
    return isinstance(node, kind)


def walk(node: Any) -> Iterator[Any]:
    """A node and all under it."""
    if is_a(node, tuple):
        for each in node:
            yield from walk(each)
    elif is_a(node, ast.Node):
        yield node
        for name in node:
            yield from walk(getattr(node, name))


def walk_scoped(node: Any, around: Scope) -> Iterator[tuple[Any, Scope]]:
    """A node and all under it, each with the steps that it may read."""
    if is_a(node, tuple):
        for each in node:
            yield from walk_scoped(each, around)
    elif is_a(node, ast.Node):
        scope = around.within(node)
        yield node, scope
        for name in node:
            yield from walk_scoped(getattr(node, name), scope)


def queries(node: Any, around: Scope) -> Iterator[tuple[Any, Scope]]:
    """The queries that are computed each on its own."""
    yield node, around.within(node)
    for each, scope in walk_scoped(node, around):
        if is_a(each, ast.CommonTableExpr) and is_apart(each):
            yield each.ctequery, scope.within(each.ctequery)


def is_apart(step: Any) -> bool:
    """Whether a step of a WITH is computed on its own."""
    return step.ctematerialized == MATERIALIZED or is_a(step.ctequery, WRITES)


def kind_of(name: str) -> str:
    """Where a table is. Raises KeyError for one that nobody has placed."""
    found = PARTITION.match(name)
    return LOCAL if name.startswith("pg_") else KINDS[found[1] if found else name]


def tables(node: Any, scope: Scope) -> Iterator[tuple[str, str]]:
    """Kind and alias of every table that is read, in steps that are folded into the query, too."""
    if is_a(node, tuple):
        for each in node:
            yield from tables(each, scope)
    elif is_a(node, ast.RangeVar):
        step = scope.steps.get(node.relname)
        if step is None:
            yield kind_of(node.relname), node.alias.aliasname if node.alias else node.relname
        elif not is_apart(step[0]):
            yield from tables(step[0].ctequery, step[1])
    elif is_a(node, ast.Node):
        inner = scope.within(node)
        for name in node:
            if name != "withClause":
                yield from tables(getattr(node, name), inner)


def kinds(node: Any, scope: Scope) -> set[str]:
    return {kind for kind, _ in tables(node, scope)}


def check(query: Any, scope: Scope) -> Iterator[str]:
    """What is wrong with one query as a whole."""
    read = kinds(query, scope)
    if is_a(query, ast.InsertStmt | ast.CreateTableAsStmt):  # whatever is read may go anywhere
        read = kinds(query.selectStmt if is_a(query, ast.InsertStmt) else query.query, scope)
    if DISTRIBUTED not in read and REFERENCE not in read:
        return
    if LOCAL in read:
        yield "a local table beside a distributed or reference one, but in a step of its own"
    if DISTRIBUTED not in read:
        return
    for node, inner in walk_scoped(query, scope):
        if is_a(node, ast.ColumnRef) and getattr(node.fields[-1], "sval", "") in PLACES:
            yield "a row's place"
        if is_a(node, ast.SelectStmt):
            yield from check_select(node, inner)
        if is_a(node, ast.SelectStmt | ast.UpdateStmt | ast.DeleteStmt):
            yield from check_joins(node, inner)


def check_select(node: Any, scope: Scope) -> Iterator[str]:
    """What is wrong with one SELECT that may read distributed tables."""
    distributed = DISTRIBUTED in kinds(node.fromClause, scope)
    if node.lockingClause and distributed:
        yield "a lock in one query with a distributed table"
    if distributed and not node.targetList and not node.valuesLists:
        yield "an empty select list"
    for link in sublinks(node.targetList):
        if DISTRIBUTED in kinds(link, scope):
            yield "a subquery over a distributed table in a target list"
    functions = {
        each.alias.aliasname for each in walk(node.fromClause) if is_a(each, ast.RangeFunction) and each.alias
    }
    for link in sublinks((node.targetList, node.whereClause)):
        named = {each.fields[0].sval for each in walk(link) if is_qualified(each)}
        if named & functions and DISTRIBUTED in kinds(link, scope):
            yield "a subquery over a distributed table, correlated to a function"


def sublinks(node: Any) -> Iterator[Any]:
    return (each for each in walk(node) if is_a(each, ast.SubLink))


def is_qualified(node: Any) -> bool:
    return is_a(node, ast.ColumnRef) and len(node.fields) > 1 and hasattr(node.fields[0], "sval")


def check_joins(node: Any, scope: Scope) -> Iterator[str]:
    """Distributed tables of one level, and of the sublinks in its conditions, are joined by their buckets."""
    own = getattr(node, "fromClause", None) or getattr(node, "usingClause", None) or ()
    relation = getattr(node, "relation", None)
    joined = [*direct(own, scope), *direct((relation,) if relation else (), scope)]
    links = list(sublinks(node.whereClause))
    for link in links:
        select = link.subselect
        inner = list(direct(select.fromClause or (), scope.within(select)))
        correlated = any(
            is_qualified(each) and each.fields[0].sval not in inner for each in walk(select.whereClause)
        )
        joined += inner if correlated else []
    items = list(flat(own))
    beside = {kind for each in items if is_a(each, ast.RangeVar) for kind in kinds(each, scope)}
    has_outer = any(is_outer(each, node) for each in flat_joins(own))
    if REFERENCE in beside and not has_outer and any(is_flat_union(each, scope) for each in items):
        yield "a union of distributed tables beside inner joins only"
    conditions = (own, node.whereClause)
    pairs = [pair for each in walk(conditions) for pair in equal_buckets(each)]
    by_name = any("bucket" in names(each.usingClause) for each in walk(own) if is_a(each, ast.JoinExpr))
    if len(joined) > 1 and not by_name and not is_connected(joined, pairs):
        yield "distributed tables that are not joined on their buckets"


def flat_joins(items: Any) -> Iterator[Any]:
    """The joins of one FROM, without those of its subqueries."""
    for item in items:
        if is_a(item, ast.JoinExpr):
            yield item
            yield from flat_joins((item.larg, item.rarg))


def flat(items: Any) -> Iterator[Any]:
    """What one FROM joins."""
    for item in items:
        yield from flat((item.larg, item.rarg)) if is_a(item, ast.JoinExpr) else (item,)


def is_outer(join: Any, node: Any) -> bool:
    """Whether a join is an outer one of a table that is read: Postgres leaves out any other."""
    read = (node.targetList, node.whereClause, getattr(node, "groupClause", None))
    named = {each.fields[0].sval for each in walk(read) if is_qualified(each)}
    return join.jointype != INNER and any(
        each.alias and each.alias.aliasname in named for each in flat((join.rarg,))
    )


def is_flat_union(item: Any, scope: Scope) -> bool:
    """Whether a subquery is a union of distributed tables that Postgres folds into the query around it."""
    query = item.subquery if is_a(item, ast.RangeSubselect) else None
    if query is None or query.op != enums.SetOperation.SETOP_UNION or query.limitOffset:
        return False
    return DISTRIBUTED in kinds(query, scope) and not (query.larg.groupClause or query.rarg.groupClause)


def direct(items: Any, scope: Scope) -> Iterator[str]:
    """The aliases of the distributed tables that stand in FROM themselves."""
    for item in items:
        if is_a(item, ast.JoinExpr):
            yield from direct((item.larg, item.rarg), scope)
        elif is_a(item, ast.RangeVar) and item.relname not in scope.steps:
            yield from (alias for kind, alias in tables(item, scope) if kind == DISTRIBUTED)


def names(values: Any) -> set[str]:
    return {each.sval for each in values or ()}


def equal_buckets(node: Any) -> Iterator[tuple[str, str]]:
    """The aliases whose buckets a condition says to be equal."""
    left: Any = getattr(node, "lexpr", None)
    right: Any = getattr(node, "rexpr", None)
    if not is_a(node, ast.A_Expr) or names(node.name) != {"="}:
        return
    rows = is_a(left, ast.RowExpr) and is_a(right, ast.RowExpr)
    for one, other in zip(left.args, right.args, strict=True) if rows else [(left, right)]:
        if all(is_qualified(each) and each.fields[-1].sval == "bucket" for each in (one, other)):
            yield one.fields[0].sval, other.fields[0].sval


def is_connected(joined: list[str], pairs: list[tuple[str, str]]) -> bool:
    reached, size = {joined[0]}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {name for pair in pairs if reached & set(pair) for name in pair}
    return set(joined) <= reached


def check_reference(statement: Any) -> Iterator[str]:
    """What is wrong with a change of a reference table, which a local one reaches by no step of its own."""
    if is_a(statement, ast.UpdateStmt | ast.DeleteStmt):
        steps = {each.ctename for each in walk(statement) if is_a(each, ast.CommonTableExpr)}
        names_read = {each.relname for each in walk(statement) if is_a(each, ast.RangeVar)} - steps
        read = {kind_of(name) for name in names_read}
        if kind_of(statement.relation.relname) == REFERENCE and LOCAL in read and DISTRIBUTED not in read:
            yield "a reference table changed by a local one"


def check_node(node: Any) -> Iterator[str]:
    """What is wrong wherever it stands."""
    if is_a(node, ast.GroupingSet | ast.MergeStmt):
        yield f"{type(node).__name__}"
    if is_a(node, ast.WithClause):
        for step in node.ctes:
            query = step.ctequery
            if is_a(query, ast.InsertStmt) and not (query.onConflictClause or query.returningClause):
                yield "an INSERT inside WITH without ON CONFLICT or RETURNING"
    if is_a(node, ast.InsertStmt) and node.onConflictClause:
        for column in node.onConflictClause.targetList or ():
            own = {"excluded", node.relation.relname}
            foreign = [
                each for each in walk(column.val) if is_qualified(each) and each.fields[0].sval not in own
            ]
            if foreign or list(sublinks(column.val)):
                yield "DO UPDATE with more than excluded and own columns"
    is_placed = is_a(node, ast.UpdateStmt) and kind_of(node.relation.relname) != LOCAL
    if is_placed and any(moves_time(each) for each in walk(node.targetList)):
        yield "a column's time moved by an interval in SET"
    if is_a(node, ast.AlterTableStmt) and len(node.cmds) > 1:
        yield "several subcommands of ALTER TABLE"


def moves_time(node: Any) -> bool:
    """Whether an interval is added to a column: which is STABLE, for it asks the time zone."""
    if not is_a(node, ast.A_Expr) or not names(node.name) & {"+", "-"}:
        return False
    columns = any(is_a(each, ast.ColumnRef) for each in walk(node))
    return columns and any("interval" in names(each.names) for each in walk(node) if is_a(each, ast.TypeName))
