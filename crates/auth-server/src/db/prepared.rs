//! Statements in SQL of our own that a connection prepares once.
//!
//! `diesel::sql_query` has every text parsed and planned anew each time, which costs PostgreSQL more than a rotation
//! itself; and an `UPDATE` of its builder is not cached either, since its columns may differ. Ours are few, and their
//! texts never depend on a request.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{self, BigInt, HasSqlType, Untyped};

/// The text of a statement, in pieces: between two a value goes, each once and in their order, which is what both
/// databases number alike.
pub(super) struct Text(Vec<String>);

impl Text {
    /// Takes a text apart at its question marks; it has no others than those for values.
    pub(super) fn of(sql: &str) -> Self {
        Self(sql.split('?').map(str::to_owned).collect())
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A statement with its values.
pub(super) struct Prepared<'a> {
    text: &'static Text,
    values: Vec<Value<'a>>,
}

enum Value<'a> {
    Integer(i64),
    Text(&'a str),
}

impl<'a> Prepared<'a> {
    /// Each text stays with the connection for good.
    pub(super) fn new(text: &'static Text) -> Self {
        Self {
            text,
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
    DB: Backend + HasSqlType<BigInt> + HasSqlType<sql_types::Text>,
    i64: ToSql<BigInt, DB>,
    for<'a> &'a str: ToSql<sql_types::Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut pieces = self.text.pieces();
        out.push_sql(pieces.next().unwrap_or_default());
        for (value, piece) in self.values.iter().zip(pieces) {
            match value {
                Value::Integer(number) => out.push_bind_param::<BigInt, _>(number)?,
                Value::Text(text) => out.push_bind_param::<sql_types::Text, _>(text)?,
            }
            out.push_sql(piece);
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
