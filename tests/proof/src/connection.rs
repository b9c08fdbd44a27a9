//! A connection to either database.

use diesel::sql_types::BigInt;
use diesel::{PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

use crate::Fault;

/// A connection to a server or to a file.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

#[derive(QueryableByName)]
pub(crate) struct Number {
    #[diesel(sql_type = BigInt)]
    pub(crate) value: i64,
}

/// Asks for a number, which the query calls `value`.
pub(crate) fn number(conn: &mut AnyConnection, query: &str) -> Result<i64, Fault> {
    Ok(sql_query(query).get_result::<Number>(conn)?.value)
}
