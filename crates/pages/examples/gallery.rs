//! Writes every page in every state and language into a folder, to look at:
//! `cargo run -p pages --example gallery -- FOLDER`. The folder is to be served as a whole: pages want their style
//! below `/account`.

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::path::Path;
use std::{env, fs, io};

use pages::{Language, Look};
use samples::Texts;

const USUAL: Texts<'_> = Texts {
    client: "Grafana",
    name: "Ada Lovelace",
    email: "ada@example.com",
    host: "grafana.example",
    scope: "orders:read",
    error: "invalid_request",
    url: "https://grafana.example/login/generic_oauth",
    hidden: &[("query", "client_id=grafana&scope=openid"), ("form", "x")],
};

const LONG: Texts<'_> = Texts {
    client: "TheProgramWithTheNameThatGoesOnAndOnWithoutABlankAndNeverEndsBeforeTheLineDoes",
    name: "سارة 王小明 Wolfeschlegelsteinhausenbergerdorff 👩‍🚀",
    email: "a.very.long.address.that.does.not.fit.into.any.line.of.a.telephone@subdomain.of.an.example",
    host: "grafana.monitoring.production.eu-central-1.an-organisation-with-a-long-name.example:8443",
    scope: "urn:example:a-scope-with-a-name-that-does-not-fit-into-a-line:read-and-write",
    error: "the_redirect_uri_https://a-host.example/a/path/that/is/not/registered_is_not_registered",
    url: "/oauth/authorize?client_id=x",
    hidden: &[],
};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "gallery".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("account"))?;
    fs::write(
        folder.join(pages::STYLE_PATH.trim_start_matches('/')),
        pages::STYLE,
    )?;
    fs::write(
        folder.join(pages::SCRIPT_PATH.trim_start_matches('/')),
        pages::SCRIPT,
    )?;
    for language in Language::ALL {
        for (kind, texts) in [("usual", USUAL), ("long", LONG)] {
            let service = if kind == "long" {
                texts.host
            } else {
                "Analytical Engines"
            };
            let look = Look {
                language,
                service,
                custom_style: false,
            };
            for (name, html) in samples::all(look, &texts) {
                let file = format!("{language:?}-{kind}-{name}.html").to_lowercase();
                fs::write(folder.join(file), html)?;
            }
        }
    }
    Ok(())
}
