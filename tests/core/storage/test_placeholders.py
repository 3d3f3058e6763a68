from __future__ import annotations

import pytest

from connectors_core.storage.placeholders import numbered, placeholders

STATEMENTS = [
    ("SELECT :a, :b_2,:a", "SELECT %(a)s, %(b_2)s,%(a)s", "SELECT $1, $2,$1"),
    ("SELECT :a::text, '1'::int", "SELECT %(a)s::text, '1'::int", "SELECT $1::text, '1'::int"),
    ("SELECT ':a', 'it''s :a', \":a\"", "SELECT ':a', 'it''s :a', \":a\"", "SELECT ':a', 'it''s :a', \":a\""),
    ("SELECT 1 -- :a\n, :a", "SELECT 1 -- :a\n, %(a)s", "SELECT 1 -- :a\n, $1"),
    ("SELECT 1 /* :a\n:a */, :a", "SELECT 1 /* :a\n:a */, %(a)s", "SELECT 1 /* :a\n:a */, $1"),
    (
        "SELECT $$ :a $$, $t$ :a $$ $t$, :a",
        "SELECT $$ :a $$, $t$ :a $$ $t$, %(a)s",
        "SELECT $$ :a $$, $t$ :a $$ $t$, $1",
    ),
    ("SELECT 5 % 2, 'a%' LIKE :a", "SELECT 5 %% 2, 'a%%' LIKE %(a)s", "SELECT 5 % 2, 'a%' LIKE $1"),
    ("SELECT ARRAY[1, 2, 3][1:2]", "SELECT ARRAY[1, 2, 3][1:2]", "SELECT ARRAY[1, 2, 3][1:2]"),
]


@pytest.mark.parametrize(("sql", "translated", "_"), STATEMENTS)
def test_names_become_psycopgs_and_nothing_else_changes(sql: str, translated: str, _: str) -> None:
    assert placeholders(sql) == translated.encode()


@pytest.mark.parametrize(("sql", "_", "translated"), STATEMENTS)
def test_names_become_the_server_s_numbers_and_nothing_else_changes(
    sql: str, _: str, translated: str
) -> None:
    assert numbered(sql)[0] == translated.encode()


def test_names_are_told_in_the_order_of_their_numbers() -> None:
    assert numbered("SELECT :b, :a, :b") == (b"SELECT $1, $2, $1", ("b", "a"))
