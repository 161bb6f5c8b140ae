//! Which migration a command speaks of: a name in the estate file, or two URLs.

use atalaya_data::{MigrationName, RelationName};
use atalaya_estate::{ConflictRules, ConnectionUrl, Estate, SecretOrigin, TablePattern, TablePatterns};
use atalaya_validate::{SchemaPlan, TableFilter};

use crate::exit::{self, Failure};
use crate::global::Context;

/// How a command names its migration.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EndpointArguments {
    /// A migration of the estate file.
    #[arg(value_name = "NAME", conflicts_with_all = ["source", "target", "name"])]
    pub(crate) migration: Option<String>,
    /// The server to move from: a URL or `env:VARIABLE`.
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// The server to move to: a URL or `env:VARIABLE`.
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The migration's name, when it is given by URLs.
    #[arg(long, value_name = "NAME", requires = "source")]
    pub(crate) name: Option<String>,
    /// Tables that move, as patterns such as `public.*`; may be repeated.
    #[arg(long = "tables", value_name = "PATTERN")]
    pub(crate) tables: Vec<String>,
    /// Tables that stay; may be repeated.
    #[arg(long = "exclude", value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Tables that are only ever inserted into; may be repeated.
    #[arg(long = "append-only", value_name = "PATTERN")]
    pub(crate) append_only: Vec<String>,
}

/// A migration with everything its name or arguments say.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// The migration's name; a default where the command needs none.
    pub(crate) name: MigrationName,
    /// Where from.
    pub(crate) source: ConnectionUrl,
    /// Where to.
    pub(crate) target: ConnectionUrl,
    /// What the estate file calls both databases; none where they are given by URLs.
    pub(crate) places: Option<Places>,
    /// Which tables.
    pub(crate) tables: TablePatterns,
    /// Which of them are only inserted into.
    pub(crate) append_only: Vec<TablePattern>,
    /// What the estate file says is done with rows of the target that somebody else wrote.
    pub(crate) conflicts: Option<ConflictRules>,
    /// The standby that the estate file has rows read from.
    pub(crate) snapshot_from: Option<ConnectionUrl>,
    /// Workers that the estate asks for.
    pub(crate) workers: Option<usize>,
    /// Whether the estate file asks for an event trigger on the source.
    pub(crate) ddl_trigger: bool,
}

/// Databases of the estate, by which the journal knows where clients are led.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Where from.
    pub(crate) source: String,
    /// Where to.
    pub(crate) target: String,
}

impl Endpoints {
    /// A comparison of the schemas of its tables.
    pub(crate) fn schema_plan(&self, no_owner: bool) -> SchemaPlan {
        SchemaPlan {
            source: self.source.clone(),
            target: self.target.clone(),
            migration: Some(self.name.to_string()),
            tables: TableFilter::new(self.filter()),
            no_owner,
        }
    }

    /// Whether a table takes part.
    pub(crate) fn filter(&self) -> impl Fn(&RelationName) -> bool + Send + Sync + 'static {
        let tables = self.tables.clone();
        move |relation| tables.matches(relation)
    }

    /// Whether a table is declared to be only inserted into.
    pub(crate) fn append_only_filter(&self) -> impl Fn(&RelationName) -> bool + Send + Sync + 'static {
        let patterns = self.append_only.clone();
        move |relation| patterns.iter().any(|pattern| pattern.matches(relation))
    }
}

impl EndpointArguments {
    /// Those that only name a migration of the estate file.
    pub(crate) fn of_migration(name: &str) -> Self {
        let none = Vec::new;
        Self {
            migration: Some(name.to_owned()),
            source: None,
            target: None,
            name: None,
            tables: none(),
            exclude: none(),
            append_only: none(),
        }
    }

    /// Finds both servers; a password on the command line is taken with a warning.
    pub(crate) fn resolve(&self, context: &Context) -> Result<Endpoints, Failure> {
        let mut endpoints = match (&self.migration, &self.source, &self.target) {
            (Some(name), ..) => from_estate(name, context)?,
            (None, Some(source), Some(target)) => Endpoints {
                name: name_of(self.name.as_deref().unwrap_or("default"))?,
                source: resolve_url(source, "--source", context)?,
                target: resolve_url(target, "--target", context)?,
                places: None,
                tables: TablePatterns::everything(),
                append_only: Vec::new(),
                conflicts: None,
                snapshot_from: None,
                workers: None,
                ddl_trigger: false,
            },
            (None, Some(_), None) | (None, None, Some(_)) => {
                return Err(Failure {
                    code: exit::USAGE,
                    message: "only one of both servers is named".to_owned(),
                    hint: Some("give both --source URL and --target URL".to_owned()),
                });
            }
            (None, None, None) => {
                return Err(Failure {
                    code: exit::USAGE,
                    message: "no migration is named".to_owned(),
                    hint: Some("give a NAME from the estate file, or --source URL and --target URL".to_owned()),
                });
            }
        };
        if !self.tables.is_empty() || !self.exclude.is_empty() {
            endpoints.tables = TablePatterns::parse(&self.tables, &self.exclude)
                .map_err(|(_, error)| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?;
        }
        for pattern in &self.append_only {
            let pattern = pattern
                .parse::<TablePattern>()
                .map_err(|error| Failure::new(exit::USAGE, &error, Some(error.hint().to_owned())))?;
            endpoints.append_only.push(pattern);
        }
        Ok(endpoints)
    }
}

/// Reads the estate file, and tells its warnings.
pub(crate) fn read_estate(context: &Context) -> Result<Estate, Failure> {
    let path = &context.estate;
    let text = std::fs::read_to_string(path).map_err(|error| Failure {
        code: exit::USAGE,
        message: format!("cannot read the estate file `{}`: {error}", path.display()),
        hint: Some("name it with --estate FILE, or give URLs".to_owned()),
    })?;
    let estate = Estate::parse(&text, path, &Context::lookup).map_err(|errors| Failure::usage(errors.listing()))?;
    for warning in estate.warnings() {
        context.note(&format!("warning: {warning}"));
    }
    Ok(estate)
}

/// A URL of the estate file with the password that a passfile holds.
pub(crate) fn with_passfile(url: &ConnectionUrl) -> Result<ConnectionUrl, Failure> {
    url.with_passfile(&Context::lookup)
        .map(|resolved| resolved.url)
        .map_err(|error| Failure::new(exit::USAGE, &error, error.hint().map(str::to_owned)))
}

fn from_estate(name: &str, context: &Context) -> Result<Endpoints, Failure> {
    let estate = read_estate(context)?;
    let found = estate.migration(name).ok_or_else(|| Failure {
        code: exit::USAGE,
        message: format!("the estate file has no migration `{name}`"),
        hint: Some(format!("it has: {}", estate.migrations.keys().cloned().collect::<Vec<_>>().join(", "))),
    })?;
    Ok(Endpoints {
        name: name_of(found.name)?,
        source: with_passfile(found.source_url)?,
        target: with_passfile(found.target_url)?,
        places: Some(Places { source: found.migration.source.clone(), target: found.migration.target.clone() }),
        tables: found.migration.tables.clone(),
        append_only: found.migration.append_only.clone(),
        conflicts: found.migration.conflicts.clone(),
        snapshot_from: found.snapshot_url.map(with_passfile).transpose()?,
        workers: found.migration.workers.map(|workers| usize::from(workers.get())),
        ddl_trigger: found.migration.ddl_trigger,
    })
}

fn name_of(text: &str) -> Result<MigrationName, Failure> {
    text.parse().map_err(|error| Failure::new(exit::USAGE, &error, Some("for instance `orders-to-18`".to_owned())))
}

/// Reads a URL given on the command line.
pub(crate) fn resolve_url(text: &str, flag: &str, context: &Context) -> Result<ConnectionUrl, Failure> {
    let resolved = ConnectionUrl::resolve(text, &Context::lookup)
        .map_err(|error| Failure::new(exit::USAGE, &error, error.hint().map(str::to_owned)))?;
    if resolved.secret == SecretOrigin::Text {
        context.note(&format!(
            "warning: the password in {flag} can be seen by other users of this machine; use env:NAME or a passfile"
        ));
    }
    Ok(resolved.url)
}
