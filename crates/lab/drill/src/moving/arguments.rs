//! What every verb of the drill is told besides both sides.

use crate::{Options, Ownership};

/// A network that is silent so long is a lost connection.
pub(crate) const SILENCE_SECONDS: u64 = 5;

/// Further arguments, by what a verb takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    tables: Vec<String>,
    append_only: Vec<String>,
    terms: Vec<String>,
    run: Vec<String>,
}

impl Extra {
    /// From what the drill itself was told. The ledger's tables always move.
    pub(crate) fn of(options: &Options) -> Self {
        let repeated = |flag: &str, patterns: &[String]| -> Vec<String> {
            patterns.iter().flat_map(|pattern| [flag.to_owned(), pattern.clone()]).collect()
        };
        let (included, excluded) = &options.patterns;
        let mut tables = repeated("--tables", included);
        if !included.is_empty() {
            tables.extend(repeated("--tables", &["ledger.*".to_owned()]));
        }
        tables.extend(repeated("--exclude", excluded));
        let terms = if options.ownership == Ownership::Taken { vec!["--no-owner".to_owned()] } else { Vec::new() };
        let silence = SILENCE_SECONDS.to_string();
        let run = ["--silence-timeout", &silence, "--retries", "20", "--split-larger-than", "1", "--workers", "2"];
        Self {
            tables,
            append_only: repeated("--append-only", &options.append_only),
            terms,
            run: run.map(str::to_owned).to_vec(),
        }
    }

    fn joined<'a>(lists: &[&'a [String]]) -> Vec<&'a str> {
        lists.iter().flat_map(|list| list.iter().map(String::as_str)).collect()
    }

    /// For `validate`.
    pub(crate) fn of_validate(&self) -> Vec<&str> {
        Self::joined(&[&self.tables, &self.append_only])
    }

    /// For `assess`.
    pub(crate) fn of_assess(&self) -> Vec<&str> {
        Self::joined(&[&self.tables, &self.append_only, &self.terms])
    }

    /// For `migrate start` and `migrate finish`.
    pub(crate) fn of_run(&self) -> Vec<&str> {
        Self::joined(&[&self.tables, &self.append_only, &self.terms, &self.run])
    }
}
