"""What OpenAPI says of reports: each its own path, parameters, operation id, example and type of answer."""

from typing import Any, Final

from app.reports import render
from app.reports.model import Column, Report
from app.reports.parameters import PARAMETERS
from app.reports.parsing import of
from app.web.openapi import describe_problems

TYPES: Final = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
SAMPLES: Final[dict[str, Any]] = {"text": "source-faker", "integer": 12, "number": 0.25, "boolean": True}
FORMS: Final = {"json": render.JSON_TYPE, "csv": render.CSV_TYPE, "parquet": render.PARQUET_TYPE}
COLUMN: Final = {name: {"type": "string"} for name in ("name", "type", "description")}
PROBLEMS: Final = (
    "invalid_parameter",
    "unknown_parameter",
    "repeated_parameter",
    "missing_parameter",
    "unauthorized",
    "too_many_requests",
    "database_unavailable",
)
HEADERS: Final = {
    "As-Of": {
        "description": "When the figures were computed: a process keeps them and makes new ones behind, "
        "once a minute at most; `Cache-Control: no-cache` in the request waits for new ones.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Age": {"description": "Seconds since `As-Of`.", "schema": {"type": "integer"}},
    "Stale": {
        "description": "Why there are no newer figures, there only while that is so: `database_unavailable`. "
        "These are the last good ones.",
        "schema": {"type": "string"},
    },
    "Rollup-Lag-Seconds": {
        "description": "Age of the oldest event that is not in the figures yet; 0 if all are.",
        "schema": {"type": "number"},
    },
    "ETag": {
        "description": "The same as long as the figures are, for If-None-Match.",
        "schema": {"type": "string"},
    },
}


def make_operation(report: Report, form: str) -> dict[str, Any]:
    """Return the arguments of FastAPI's route for a report in one of the forms."""
    operation = f"read_{report.name.replace('-', '_')}"
    return {
        "operation_id": operation if form == "json" else f"{operation}_{form}",
        "summary": f"{report.name} as {'Parquet' if form == 'parquet' else form.upper()}",
        "description": f"{report.summary} {report.note}",
        "responses": {
            200: {
                "description": "The report.",
                "headers": HEADERS,
                "content": {FORMS[form]: describe_answer(report, form)},
            },
            304: {"description": "The figures are those of the entity tag in If-None-Match."},
            **describe_problems(*PROBLEMS, *(("parquet_unavailable",) if form == "parquet" else ())),
        },
        "openapi_extra": {"parameters": [describe_parameter(report, name) for name in report.parameters]},
    }


def describe_answer(report: Report, form: str) -> dict[str, Any]:  # Size: one document, field by field
    """Return type and example of an answer."""
    if form == "parquet":
        return {"schema": {"type": "string", "format": "binary"}}
    sample = {column.name: SAMPLES[column.type] for column in report.columns}
    if form == "csv":
        lines = (",".join(sample), ",".join(str(render.cell(value)) for value in sample.values()))
        return {"schema": {"type": "string"}, "example": "\r\n".join((*lines, ""))}
    title = "".join(part.capitalize() for part in report.name.split("-"))
    columns = [
        {"name": each.name, "type": each.type, "description": each.description} for each in report.columns
    ]
    fields: dict[str, Any] = {
        "report": {"type": "string", "enum": [report.name]},
        "parameters": {
            "title": f"{title}Parameters",
            **make_object({name: describe_value(name) for name in report.parameters}),
        },
        "as_of": {"type": "string", "format": "date-time"},
        "rollup_lag_seconds": {"type": "number", "description": HEADERS["Rollup-Lag-Seconds"]["description"]},
        "columns": {"type": "array", "items": {"title": f"{title}Column", **make_object(COLUMN)}},
        "total": {"type": "integer", "description": "Rows before `limit` cut them."},
        "hidden": {"type": "integer", "description": "Rows that say too little: `few=show` lists them."},
        "rows": {
            "type": "array",
            "items": {
                "title": f"{title}Row",
                **make_object({column.name: describe_cell(column) for column in report.columns}),
            },
        },
    }
    schema = {"title": f"{title}Report", **make_object(fields)}
    schema["properties"]["stale"] = {
        "title": f"{title}Stale",
        "description": "There only while the database cannot answer: these are the last good figures.",
        **make_object({"code": {"type": "string"}, "detail": {"type": "string"}}),
    }
    if report.series is not None:
        row = {column.name: describe_cell(column) for column in report.series.columns}
        rows = {"type": "array", "items": {"title": f"{title}SeriesRow", **make_object(row)}}
        schema["properties"]["series"] = {
            "title": f"{title}Series",
            "description": "What the rows were day by day; there if `series=day` asks for it.",
            **make_object({"columns": fields["columns"], "rows": rows}),
        }
    return {
        "schema": schema,
        "example": {
            "report": report.name,
            "parameters": {name: exemplify(report, name) for name in report.parameters},
            "as_of": "2026-11-23T12:00:00Z",
            "rollup_lag_seconds": 0.4,
            "columns": columns,
            "total": 1,
            "hidden": 0,
            "rows": [sample],
        },
    }


def make_object(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has all of these fields, and may come to have more."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def describe_cell(column: Column) -> dict[str, Any]:
    """Return the schema of a value of a column: null where there is none."""
    return {"type": [TYPES[column.type], "null"], "description": column.description}


def describe_value(name: str) -> dict[str, Any]:
    """Return the schema of a parameter as the answer repeats it: null where nothing was asked for."""
    kind = PARAMETERS[name].schema["type"]
    return {"type": [kind] if kind == "integer" else [kind, "null"]}


def describe_default(report: Report, name: str) -> str | int:
    """Return what a parameter of a report stands at, as its schema has it."""
    known = of(report, name)
    return int(known.default) if known.schema["type"] == "integer" else known.default


def exemplify(report: Report, name: str) -> str | int:
    """Return something that a parameter takes: its default, unless that is a word for "not given"."""
    return PARAMETERS[name].example or describe_default(report, name)


def describe_parameter(report: Report, name: str) -> dict[str, Any]:
    """Return one query parameter of a report. Its default may be given, which
    is the same as not giving it."""
    known = of(report, name)
    schema = dict(known.schema)
    if known.choices:
        schema["enum"] = list(known.choices)
    required = name in report.required
    if not required and not known.default_depends:
        schema["default"] = describe_default(report, name)
    takes = f" Takes {PARAMETERS[name].allowed}." if PARAMETERS[name].allowed else ""
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": f"{known.description}{takes}",
        "schema": schema,
        "example": exemplify(report, name),
    }
