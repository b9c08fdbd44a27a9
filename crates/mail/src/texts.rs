//! What mails say: a subject, a text and the same as HTML, from templates.
//!
//! A template is a file: `Subject: …` in its first line, perhaps `Button: …` in the second, a blank line, the
//! text. The HTML is made from the text by one layout, so that the two never say different things. An operator's
//! folder replaces any of the files; all are tried when they are loaded, so a mistake in one stops the start, and
//! no mail.

mod builtin;
mod kind;
mod locale;
mod page;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

pub use kind::Kind;
pub use locale::Locale;
pub use values::Values;

/// The template of the HTML.
const LAYOUT: &str = "layout.html";

/// The longest subject, in characters: what RFC 5322 §2.1.1 wants of a line.
const LONGEST_SUBJECT: usize = 78;

/// A mail's words.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line of at most 78 characters.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// A page without anything that would have to be fetched.
    pub html: String,
}

/// The templates of all mails in all languages.
#[derive(Debug)]
pub struct Texts {
    environment: Environment<'static>,
    folder: Option<PathBuf>,
    /// What the folder replaces, by its name in it.
    replaced: BTreeSet<String>,
}

impl Texts {
    /// The built-in templates, with those in their place that a folder has under the same name (`en/reset.txt`,
    /// `layout.html`). Each is tried with and without values.
    ///
    /// # Errors
    /// Which file is wrong, and in which line.
    pub fn load(folder: Option<&Path>) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // An error then tells the name that has no value, in a release build as well.
        environment.set_debug(true);
        let mut texts = Self {
            environment,
            folder: folder.map(Path::to_path_buf),
            replaced: BTreeSet::new(),
        };
        if let Some(folder) = folder {
            refuse_unknown(folder)?;
        }
        for (name, built_in) in builtin::all() {
            let source = match texts.replacement(&name)? {
                Some(source) => {
                    texts.replaced.insert(name.clone());
                    source.replace("\r\n", "\n")
                }
                None => built_in.to_owned(),
            };
            let added = texts.environment.add_template_owned(name.clone(), source);
            added.map_err(|error| texts.say(&name, &error))?;
        }
        texts.try_all()?;
        Ok(texts)
    }

    /// The words of one mail.
    ///
    /// # Errors
    /// If a template of the operator fails with these values, though it went well with those it was tried with:
    /// which file, and in which line.
    pub fn render(
        &self,
        kind: Kind,
        locale: Locale,
        values: &Values<'_>,
    ) -> Result<Rendered, String> {
        let name = template(kind, locale);
        let context = values.context(kind, locale);
        let rendered = self.fill(&name, context)?;
        let form = Form::read(&rendered).map_err(|why| format!("{}: {why}", self.place(&name)))?;
        let blocks = page::blocks(&form.text, values.link);
        let button = form.button.unwrap_or(locale.open());
        let html = self.fill(
            LAYOUT,
            page::context(locale, &form.subject, button, &values.service(), &blocks),
        )?;
        Ok(Rendered {
            subject: form.subject,
            text: form.text,
            html,
        })
    }

    fn try_all(&self) -> Result<(), String> {
        for kind in Kind::ALL {
            for locale in Locale::ALL {
                for sample in [Values::sample(), Values::bare_sample()] {
                    let rendered = self.render(kind, locale, &sample)?;
                    let name = template(kind, locale);
                    if kind.has_link() && !rendered.text.lines().any(|line| line == sample.link) {
                        let place = self.place(&name);
                        return Err(format!(
                            "{place}: {{{{ link }}}} has to stand in a line of its own"
                        ));
                    }
                    if kind.has_link() && !rendered.html.contains(&page::escaped(sample.link)) {
                        let place = self.place(LAYOUT);
                        return Err(format!("{place}: the link of {name} is not in it"));
                    }
                }
            }
        }
        Ok(())
    }

    fn fill(&self, name: &str, context: Value) -> Result<String, String> {
        let template = self.environment.get_template(name);
        let filled = template.and_then(|template| template.render(context));
        filled.map_err(|error| self.say(name, &error))
    }

    /// What the operator's folder has under this name.
    fn replacement(&self, name: &str) -> Result<Option<String>, String> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(source) => Ok(Some(source)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("MAIL_TEMPLATES: {}: {error}", path.display())),
        }
    }

    fn say(&self, name: &str, error: &minijinja::Error) -> String {
        let name = error.name().unwrap_or(name);
        let line = error
            .line()
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        let detail = error
            .detail()
            .map(|detail| format!(": {detail}"))
            .unwrap_or_default();
        format!("{}: {line}{}{detail}", self.place(name), error.kind())
    }

    /// Where a template comes from, for people.
    fn place(&self, name: &str) -> String {
        match &self.folder {
            Some(folder) if self.replaced.contains(name) => {
                format!("MAIL_TEMPLATES: {}", folder.join(name).display())
            }
            _ => format!("the built-in {name}"),
        }
    }
}

fn template(kind: Kind, locale: Locale) -> String {
    format!("{}/{}.txt", locale.as_str(), kind.as_str())
}

/// A file that no mail is made from is one whose name is misspelt.
fn refuse_unknown(folder: &Path) -> Result<(), String> {
    let known: BTreeSet<PathBuf> = builtin::all()
        .map(|(name, _)| PathBuf::from(name))
        .collect();
    let fault = |path: &Path, why: &str| format!("MAIL_TEMPLATES: {}: {why}", path.display());
    let folders = [Some(PathBuf::new())]
        .into_iter()
        .chain(Locale::ALL.map(|it| Some(it.as_str().into())));
    for inner in folders.flatten() {
        let entries = match std::fs::read_dir(folder.join(&inner)) {
            Ok(entries) => entries,
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && inner != Path::new("") =>
            {
                continue;
            }
            Err(error) => return Err(fault(folder, &error.to_string())),
        };
        for entry in entries {
            let entry = entry.map_err(|error| fault(folder, &error.to_string()))?;
            let name = inner.join(entry.file_name());
            let is_template = name
                .extension()
                .is_some_and(|it| it == "txt" || it == "html");
            if is_template && !known.contains(&name) {
                return Err(fault(
                    &entry.path(),
                    "no mail is made from a file of this name",
                ));
            }
        }
    }
    Ok(())
}

/// A template that was filled in, taken apart.
struct Form<'a> {
    subject: String,
    button: Option<&'a str>,
    text: String,
}

impl<'a> Form<'a> {
    fn read(filled: &'a str) -> Result<Self, &'static str> {
        const WANTED: &str = "line 1: wants `Subject: …`";
        let mut lines = filled.lines();
        let subject = lines
            .next()
            .and_then(|line| line.strip_prefix("Subject:"))
            .ok_or(WANTED)?;
        let subject = subject.trim();
        if subject.is_empty() {
            return Err(WANTED);
        }
        let mut button = None;
        for line in lines
            .by_ref()
            .map(str::trim)
            .take_while(|line| !line.is_empty())
        {
            button = Some(
                line.strip_prefix("Button:")
                    .map(str::trim)
                    .filter(|it| !it.is_empty())
                    .ok_or(
                        "behind the subject stands a blank line, or `Button: …` and a blank line",
                    )?,
            );
        }
        let mut text = String::with_capacity(filled.len());
        for line in lines.map(str::trim_end) {
            // Of several blank lines, as conditions leave them, one stays.
            if !line.is_empty() || (!text.is_empty() && !text.ends_with("\n\n")) {
                text.push_str(line);
                text.push('\n');
            }
        }
        text.truncate(text.trim_end().len());
        if text.is_empty() {
            return Err("there is no text behind the subject");
        }
        text.push('\n');
        Ok(Self {
            subject: shortened(subject),
            button,
            text,
        })
    }
}

/// The subject, cut if need be.
fn shortened(subject: &str) -> String {
    if subject.chars().count() <= LONGEST_SUBJECT {
        return subject.to_owned();
    }
    let mut cut: String = subject.chars().take(LONGEST_SUBJECT - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests;
