//! The query and the values, without a socket.

use super::*;

fn needs(query: &str) -> Option<(Vec<String>, Vec<String>)> {
    let needs = Needs::parse(Some(query)).ok()?;
    Some((needs.roles, needs.scopes))
}

#[test]
fn no_query_asks_for_a_good_token_alone() {
    assert_eq!(Needs::parse(None).unwrap(), Needs::default());
}

#[test]
fn every_parameter_of_a_query_counts() {
    let read =
        needs("role=admin&scope=orders:read&role=a%20role&role=a+role&role=%E7%8E%8B&scope=x%2By");
    let roles = ["admin", "a role", "a role", "王"].map(String::from);
    let scopes = ["orders:read", "x+y"].map(String::from);
    assert_eq!(read, Some((roles.to_vec(), scopes.to_vec())));
}

#[test]
fn a_query_that_is_not_understood_asks_for_nothing_and_passes_nobody() {
    for query in [
        "",
        "&",
        "role",
        "role=",
        "rol=admin",
        "Role=admin",
        "=admin",
        "role=admin&",
        "&role=admin",
        "role=admin&x=1",
        "role[]=admin",
        "roles=admin",
        "r%6fle=admin",
        "role=%",
        "role=%a",
        "role=%zz",
        "role=%ff",
        "role=a%0d%0ab",
        "role=%00",
        "scope=",
        "scope=a%20b",
        "scope=a+b",
        "scope=a%22b",
        "scope=a%5Cb",
        "scope=%E7%8E%8B",
        "role=admin;scope=x&",
    ] {
        let refused = Needs::parse(Some(query)).expect_err(query);
        assert_eq!(
            (refused.status(), refused.code()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{query}"
        );
    }
}

#[test]
fn values_are_visible_ascii_without_commas_and_come_back_as_they_were() {
    assert_eq!(
        encoded("orders:read/a-b_c.d~e@f"),
        "orders:read/a-b_c.d~e@f"
    );
    assert_eq!(
        encoded("王, \"x\"\r\nX-User-Roles: admin;%"),
        "%E7%8E%8B%2C%20%22x%22%0D%0AX-User-Roles:%20admin%3B%25"
    );
    let all: String = (0..0x250).filter_map(char::from_u32).collect();
    let sent = encoded(&all);
    assert!(
        sent.bytes()
            .all(|byte| byte.is_ascii_graphic() && !b",;\"'()<>\\{}&+".contains(&byte)),
        "{sent}"
    );
    assert_eq!(percent_decode_str(&sent).decode_utf8().unwrap(), all);
}
