//! Statements in SQL of our own that a connection prepares once.
//!
//! `diesel::sql_query` has every text parsed and planned anew each time, which costs PostgreSQL more than a rotation
//! itself; and an `UPDATE` of its builder is not cached either, since its columns may differ. Ours are few, and their
//! texts never depend on a request.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text, Untyped};

/// A statement with its values. Where the text has `?`, a value goes, each once and in their order: what both databases
/// number alike. It has no other question mark.
pub(super) struct Prepared<'a> {
    sql: &'a str,
    values: Vec<Value<'a>>,
}

enum Value<'a> {
    Integer(i64),
    Text(&'a str),
}

impl<'a> Prepared<'a> {
    /// The text must be one of a few, ever: each stays with the connection.
    pub(super) fn new(sql: &'a str) -> Self {
        Self {
            sql,
            values: Vec::with_capacity(16),
        }
    }

    /// The next value, a number.
    pub(super) fn integer(mut self, value: i64) -> Self {
        self.values.push(Value::Integer(value));
        self
    }

    /// The next value, a text.
    pub(super) fn text(mut self, value: &'a str) -> Self {
        self.values.push(Value::Text(value));
        self
    }
}

impl<DB> QueryFragment<DB> for Prepared<'_>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Text>,
    i64: ToSql<BigInt, DB>,
    for<'a> &'a str: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut texts = self.sql.split('?');
        out.push_sql(texts.next().unwrap_or_default());
        for (value, text) in self.values.iter().zip(texts) {
            match value {
                Value::Integer(number) => out.push_bind_param::<BigInt, _>(number)?,
                Value::Text(text) => out.push_bind_param::<Text, _>(text)?,
            }
            out.push_sql(text);
        }
        Ok(())
    }
}

impl QueryId for Prepared<'_> {
    type QueryId = ();
    /// Told apart by their texts.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Prepared<'_> {
    type SqlType = Untyped;
}

impl<C> RunQueryDsl<C> for Prepared<'_> {}
