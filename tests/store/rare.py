"""Columns of `unit_days` and `attempts` whose usual value stands as NULL, and the statements that read one as
if it were a number. A row of one session has `times` NULL, a user's day `open` NULL: a sum of such is NULL
where all are, a comparison is neither true nor false.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pglast import ast, enums, parse_sql

from app.store.schema import METADATA
from tests.store.distribution import is_a, to_sql

RARE: Final = {
    name: frozenset(column.name for column in METADATA.tables[name].columns if column.nullable)
    for name in ("unit_days", "attempts")
}
Outputs = list[tuple[str, bool]]  # of a query: each column's name, and whether it is one of RARE as it stands
Steps = Mapping[str, Outputs]
Sources = Mapping[str, frozenset[str]]  # by alias: the columns of RARE that it has
NULL_SAFE: Final = {"num_nulls", "num_nonnulls"}
DISTINCT: Final = {enums.A_Expr_Kind.AEXPR_DISTINCT, enums.A_Expr_Kind.AEXPR_NOT_DISTINCT}
CLAUSES: Final = (
    *("whereClause", "groupClause", "havingClause", "windowClause", "sortClause", "limitCount"),
    *("limitOffset", "distinctClause", "valuesLists"),
)


class Reader(NamedTuple):
    """What a query may read: steps of WITHs, its own tables and those around it; and the faults so far."""

    steps: Steps
    own: Sources
    outer: Sources
    faults: list[str]

    def resolve(self, column: Any) -> str | None:
        """The column of RARE that is named, as `alias.column`; None if it is another."""
        *qualifier, name = (getattr(each, "sval", "*") for each in column.fields)
        sources = {**self.outer, **self.own}
        owners = qualifier[-1:] or sources
        return next((f"{owner}.{name}" for owner in owners if name in sources.get(owner, ())), None)


def find_bare_reads(statement: str) -> list[str]:
    """The columns of RARE that a statement reads without saying what NULL stands for."""
    faults: list[str] = []
    for each in parse_sql(to_sql(statement)):
        outputs = read_query(each.stmt, Reader({}, {}, {}, faults))
        if not is_a(each.stmt, ast.InsertStmt):
            faults += [f"{name} as it is, in the answer" for name, is_bare in outputs if is_bare]
    return sorted(set(faults))


def read_query(query: Any, around: Reader) -> Outputs:
    """Check a query and all in it; its columns."""
    steps = dict(around.steps)
    if getattr(query, "withClause", None):
        for step in query.withClause.ctes:
            steps[step.ctename] = read_query(step.ctequery, around._replace(steps=steps))
    inner = around._replace(steps=steps, own={}, outer={**around.outer, **around.own})
    if is_a(query, ast.SelectStmt):
        return read_select(query, inner)
    if is_a(query, ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
        return read_write(query, inner)
    return []


def read_select(query: Any, around: Reader) -> Outputs:
    if query.op != enums.SetOperation.SETOP_NONE:
        left, right = (read_query(each, around) for each in (query.larg, query.rarg))
        return [(name, is_bare or other) for (name, is_bare), (_, other) in zip(left, right, strict=False)]
    reader = read_sources(query.fromClause or (), around)
    for clause in CLAUSES:
        check(getattr(query, clause), reader)
    return read_targets(query.targetList or (), reader)


def read_write(query: Any, around: Reader) -> Outputs:
    """INSERT, UPDATE, DELETE: whole columns may be put where NULL means the same."""
    alias = query.relation.alias.aliasname if query.relation.alias else query.relation.relname
    rare = RARE.get(query.relation.relname, frozenset())
    others = getattr(query, "fromClause", None) or getattr(query, "usingClause", None) or ()
    reader = read_sources(others, around)
    targets = (alias, "excluded") if is_a(query, ast.InsertStmt) else (alias,)
    reader = reader._replace(own={**dict.fromkeys(targets, rare), **reader.own})
    if is_a(query, ast.InsertStmt):
        outputs = read_query(query.selectStmt, around) if query.selectStmt else []
        if not rare:
            around.faults.extend(f"{name} as it is, in an INSERT" for name, is_bare in outputs if is_bare)
        check(query.onConflictClause, reader)
    else:
        check(query.whereClause, reader)
        check(getattr(query, "targetList", None), reader)
    return read_targets(query.returningClause.exprs if query.returningClause else (), reader)


def read_sources(items: Any, around: Reader) -> Reader:
    """What a FROM gives, beside what is around it."""
    found: dict[str, frozenset[str]] = {}
    reader = around._replace(own=found)  # what stands before may be read by what is LATERAL
    for item in flatten(items):
        if is_a(item, ast.RangeVar):
            alias = item.alias.aliasname if item.alias else item.relname
            step = around.steps.get(item.relname)
            found[alias] = RARE.get(item.relname, frozenset()) if step is None else bare(step)
        elif is_a(item, ast.RangeSubselect):
            found[item.alias.aliasname if item.alias else ""] = bare(read_query(item.subquery, reader))
        else:
            check(item, reader)
    for condition in conditions(items):
        check(condition, reader)
    return reader


def bare(outputs: Outputs) -> frozenset[str]:
    return frozenset(name for name, is_bare in outputs if is_bare)


def flatten(items: Any) -> Iterator[Any]:
    """The tables of joins."""
    for item in items:
        if is_a(item, ast.JoinExpr):
            yield from flatten((item.larg, item.rarg))
        else:
            yield item


def conditions(items: Any) -> Iterator[Any]:
    """What joins are made on."""
    for item in items:
        if is_a(item, ast.JoinExpr):
            yield item.quals
            yield from conditions((item.larg, item.rarg))


def read_targets(targets: Any, reader: Reader) -> Outputs:
    """The columns of a list; one that is passed on as it is is whoever reads it's to check."""
    outputs: Outputs = []
    for target in targets:
        if not is_a(target.val, ast.ColumnRef):
            check(target.val, reader)
            outputs.append((target.name or "", False))
        elif is_a(target.val.fields[-1], ast.A_Star):
            owners = [each.sval for each in target.val.fields[:-1]] or list(reader.own)
            outputs += [(name, True) for owner in owners for name in sorted(reader.own.get(owner, ()))]
        else:
            is_bare = reader.resolve(target.val) is not None
            outputs.append((target.name or target.val.fields[-1].sval, is_bare))
    return outputs


def check(node: Any, reader: Reader) -> None:
    """Add the columns of RARE that an expression reads, less those that it gives a value for NULL."""
    if is_a(node, tuple):
        for each in node:
            check(each, reader)
    elif is_a(node, ast.SubLink):
        check(node.testexpr, reader)
        outputs = read_query(node.subselect, reader)
        if node.subLinkType != enums.SubLinkType.EXISTS_SUBLINK:
            reader.faults.extend(f"{name} as it is, of a subquery" for name in sorted(bare(outputs)))
    elif is_a(node, ast.ColumnRef):
        if name := reader.resolve(node):
            reader.faults.append(name)
    elif is_a(node, ast.Node) and not is_null_safe(node):
        for name in node:
            check(getattr(node, name), reader)


def is_null_safe(node: Any) -> bool:
    """Whether an expression says what becomes of a NULL in it."""
    if is_a(node, ast.FuncCall):
        return node.funcname[-1].sval in NULL_SAFE
    if is_a(node, ast.A_Expr):
        return node.kind in DISTINCT
    return is_a(node, ast.CoalesceExpr | ast.NullTest)
