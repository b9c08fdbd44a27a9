//! The parameters of a request of OAuth, from a query or a form.

/// A parameter that must not come more than once did (RFC 6749 §3.1, §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twice(pub &'static str);

/// Parameters in the order they came; those without a value count as left out (RFC 6749 §3.1). They may hold secrets:
/// no `Debug`.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Those of a query, or of a form's body.
    #[must_use]
    pub fn of_query(query: &str) -> Self {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// Those that somebody else took apart.
    #[must_use]
    pub fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// These with another value of a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(held, _)| held != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The first name that came more than once.
    #[must_use]
    pub fn twice(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        let names = self.0.iter().map(|(name, _)| name.as_str());
        // Several resources may be named (RFC 8707 §2).
        names
            .into_iter()
            .find(|name| *name != "resource" && !seen.insert(*name))
    }

    /// All of them as a query.
    #[must_use]
    pub fn query(&self) -> String {
        serde_urlencoded::to_string(&self.0).unwrap_or_default()
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// [`Twice`] if it came more than once.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Twice> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Twice(name)),
        }
    }

    /// The last value of a parameter, for what is judged elsewhere.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last()
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(held, _)| held == name)
            .map(|(_, value)| value.as_str())
    }

    /// These parameters as those of this client, which has shown that it is this one; without its secret.
    #[must_use]
    pub fn of_client(mut self, id: &str) -> Self {
        self.0
            .retain(|(name, _)| name != "client_id" && name != "client_secret");
        self.0.push(("client_id".into(), id.to_owned()));
        self
    }

    /// The query of some of them, in this order.
    pub(super) fn query_of(&self, names: &[&str]) -> String {
        let mut query = Vec::new();
        for name in names {
            query.extend(self.all(name).map(|value| (*name, value)));
        }
        serde_urlencoded::to_string(query).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_without_a_value_is_none_and_one_that_comes_twice_is_told() {
        let params = Params::of_query("a=1&b=&c=2&c=3&%64=%20x+y");
        assert_eq!(params.one("a"), Ok(Some("1")));
        assert_eq!(params.one("b"), Ok(None));
        assert_eq!(params.one("c"), Err(Twice("c")));
        assert_eq!(params.one("d"), Ok(Some(" x y")));
        assert_eq!(params.query_of(&["d", "c", "zz"]), "d=+x+y&c=2&c=3");
    }
}
