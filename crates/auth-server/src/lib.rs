//! Keyturn.
