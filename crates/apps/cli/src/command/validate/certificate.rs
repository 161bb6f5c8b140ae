//! Certificates: `validate --certificate` makes one, `validate --against` checks one, `migrate finish` does the first.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;
use atalaya_validate::{
    Certificate, CertificateDraft, CertificateError, CertificatePlan, CertificateSide, CertifiedCutover, Occasion,
    Plan, Report, Scope, Serving, TableFilter,
};

use super::{ValidateArguments, schema};
use crate::endpoints::{Endpoints, resolve_url};
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal;

/// Arguments about certificates.
#[derive(Debug, clap::Args)]
pub(crate) struct CertificateArguments {
    /// Hash every row of both sides and write what stands there into FILE.html and FILE.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["schema", "against", "repair", "show_values", "strict_sequences", "touched", "continuous"])]
    pub(super) certificate: Option<PathBuf>,
    /// Check a certificate again, on the one server that --source or --target names.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["schema", "quiesced", "repair", "show_values", "strict_sequences", "touched", "continuous"])]
    pub(super) against: Option<PathBuf>,
}

/// A table of any size must come to its end in one snapshot; the application does not wait for it.
const SNAPSHOT_AGE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Validate(error) => error.into(),
            error => {
                let code = match &error {
                    CertificateError::Changed { .. } => exit::REFUSED,
                    _ => exit::USAGE,
                };
                let hint = error.hint();
                Self::new(code, &error, hint)
            }
        }
    }
}

/// Opens what a certificate is made in, while nothing writes.
pub(crate) async fn draft_at_finish(
    endpoints: &Endpoints,
    workers: usize,
    proof: &Report,
    accepted: &[RelationName],
    cutovers: Vec<CertifiedCutover>,
) -> Result<CertificateDraft, Failure> {
    let scope = Scope::Drained { name: endpoints.name.to_string() };
    let plan = CertificatePlan {
        rows: rows(endpoints, scope, workers),
        serving: Serving::Source,
        occasion: Occasion::Finish,
        schema: schema::check(endpoints, false).await?,
        accepted: accepted.to_vec(),
        proof: Some(proof.clone()),
        cutovers,
    };
    Ok(CertificateDraft::open(&plan).await?)
}

/// The same where clients are on the target: at a fence of its log, with the help of the way back, which has to run.
pub(crate) async fn draft_led_over(
    endpoints: &Endpoints,
    workers: usize,
    cutovers: Vec<CertifiedCutover>,
) -> Result<CertificateDraft, Failure> {
    let mut rows = rows(endpoints, Scope::Migration { name: endpoints.name.to_string() }, workers);
    (rows.source, rows.target) = (endpoints.target.clone(), endpoints.source.clone());
    let plan = CertificatePlan {
        rows,
        serving: Serving::Target,
        occasion: Occasion::Finish,
        schema: schema::check(endpoints, false).await?,
        accepted: Vec::new(),
        proof: None,
        cutovers,
    };
    Ok(CertificateDraft::open(&plan).await?)
}

fn rows(endpoints: &Endpoints, scope: Scope, workers: usize) -> Plan {
    let mut rows = Plan::new(endpoints.source.clone(), endpoints.target.clone(), scope);
    rows.sequences = TableFilter::new(endpoints.filter());
    rows.workers = workers;
    rows.snapshot_age_limit = SNAPSHOT_AGE_LIMIT;
    rows
}

/// `validate --certificate FILE`.
pub(super) async fn make(
    arguments: &ValidateArguments,
    endpoints: &Endpoints,
    context: &Context,
    file: &Path,
) -> Result<u8, Failure> {
    let scope = super::scope(arguments, endpoints, context).await?;
    let mut rows = rows(endpoints, scope, usize::from(arguments.workers));
    rows.tables = TableFilter::new(endpoints.filter());
    let plan = CertificatePlan {
        rows,
        serving: Serving::Source,
        occasion: Occasion::Validate,
        schema: schema::check(endpoints, false).await?,
        accepted: Vec::new(),
        proof: None,
        cutovers: journal::cutovers(endpoints, context).await?,
    };
    let certificate = CertificateDraft::open(&plan).await?.complete().await?;
    let written = write(&certificate, file)?;
    let text = format!("{}certificate: {}", atalaya_validate::render_certificate(&certificate), written.html.display());
    context.print(
        &text,
        &serde_json::json!({ "version": 1, "certificate": written.json(), "equal": certificate.is_clean() }),
    );
    Ok(match (certificate.is_clean(), certificate.not_read.is_empty()) {
        (true, _) => exit::DONE,
        // Nothing that was read differs.
        (false, false) if certificate.rows_are_equal() && certificate.schema.differences.is_empty() => exit::REFUSED,
        _ => exit::DIFFERENT,
    })
}

/// `validate --against FILE`.
pub(super) async fn check(arguments: &ValidateArguments, context: &Context, file: &Path) -> Result<u8, Failure> {
    let (side, url) = one_side(arguments, context)?;
    let text = std::fs::read_to_string(file).map_err(|error| Failure {
        code: exit::USAGE,
        message: format!("cannot read `{}`: {error}", file.display()),
        hint: Some("name the .html or .json file of a certificate".to_owned()),
    })?;
    let certificate = atalaya_validate::read_certificate(&text)?;
    let report = atalaya_validate::check_certificate(&certificate, side, &url, usize::from(arguments.workers)).await?;
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&atalaya_validate::render_check(&report), &json);
    Ok(if report.is_clean() { exit::DONE } else { exit::DIFFERENT })
}

/// The server that is asked: the one that is named, or a migration's target.
fn one_side(arguments: &ValidateArguments, context: &Context) -> Result<(CertificateSide, ConnectionUrl), Failure> {
    let named = &arguments.endpoints;
    match (&named.source, &named.target) {
        (Some(url), None) => Ok((CertificateSide::Source, resolve_url(url, "--source", context)?)),
        (None, Some(url)) => Ok((CertificateSide::Target, resolve_url(url, "--target", context)?)),
        (None, None) => Ok((CertificateSide::Target, named.resolve(context)?.target)),
        (Some(_), Some(_)) => Err(Failure {
            code: exit::USAGE,
            message: "a certificate is checked on one server at a time".to_owned(),
            hint: Some("give --source or --target, and run it again for the other".to_owned()),
        }),
    }
}

/// The two files of a certificate.
#[derive(Debug)]
pub(crate) struct Written {
    /// The page.
    pub(crate) html: PathBuf,
    /// The data alone.
    pub(crate) data: PathBuf,
}

impl Written {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "html": self.html, "json": self.data })
    }
}

/// Where a finished move's certificate goes unless told otherwise; its name tells when.
pub(crate) fn default_path(certificate: &Certificate, endpoints: &Endpoints, context: &Context) -> PathBuf {
    let at: String = certificate.made_at.chars().filter(char::is_ascii_alphanumeric).collect();
    context.state.join("certificates").join(format!("{}-{at}", endpoints.name))
}

/// Writes both files, each whole or not at all.
pub(crate) fn write(certificate: &Certificate, file: &Path) -> Result<Written, Failure> {
    let known = file.extension().is_some_and(|extension| extension == "html" || extension == "json");
    let stem = if known { file.with_extension("") } else { file.to_owned() };
    let with = |extension: &str| {
        let mut name = stem.file_name().unwrap_or(OsStr::new("certificate")).to_owned();
        name.push(extension);
        stem.with_file_name(name)
    };
    let written = Written { html: with(".html"), data: with(".json") };
    write_one(&written.data, &atalaya_validate::to_json(certificate)?)?;
    write_one(&written.html, &atalaya_validate::to_html(certificate)?)?;
    Ok(written)
}

fn write_one(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| Failure {
        code: exit::FAILED,
        message: format!("cannot write the certificate `{}`: {error}", path.display()),
        hint: Some("`atalaya validate --certificate FILE` makes another one, of what stands there then".to_owned()),
    })
}
