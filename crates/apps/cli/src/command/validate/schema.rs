//! `atalaya validate --schema`: what differs between both schemas, and the SQL that mends it.

use atalaya_validate::SchemaReport;

use super::ValidateArguments;
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;

/// Arguments of `--schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArguments {
    /// Compare the schemas instead of the rows: every object, with the SQL that mends what differs.
    #[arg(long, conflicts_with_all = ["repair", "quiesced", "show_values", "strict_sequences", "touched", "continuous"])]
    pub(crate) schema: bool,
    /// With --schema: print only the script that mends, for psql.
    #[arg(long, requires = "schema")]
    sql: bool,
    /// With --schema: leave out owners and privileges, as after a move with --no-owner.
    #[arg(long, requires = "schema")]
    no_owner: bool,
}

pub(super) async fn run(
    arguments: &ValidateArguments,
    endpoints: &Endpoints,
    context: &Context,
) -> Result<u8, Failure> {
    let schema = &arguments.schema;
    let report = check(endpoints, schema.no_owner).await?;
    let text = match schema.sql {
        true => atalaya_validate::mending_script(&report),
        false => atalaya_validate::render_schema(&report),
    };
    let json = serde_json::to_value(&report).map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    context.print(&text, &json);
    Ok(if report.is_clean() { exit::DONE } else { exit::DIFFERENT })
}

/// Compares the schemas of a migration's tables.
pub(crate) async fn check(endpoints: &Endpoints, no_owner: bool) -> Result<SchemaReport, Failure> {
    Ok(atalaya_validate::check_schema(&endpoints.schema_plan(no_owner)).await?)
}
