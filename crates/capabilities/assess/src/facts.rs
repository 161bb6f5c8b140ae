//! What every check may look at: both sides and a standby, read once. Nothing here can alter a database: the sessions are
//! set to READ ONLY transactions, a statement timeout and a lock timeout.

use std::collections::{HashMap, HashSet};
use std::fmt;

use atalaya_catalog::Relation;
use atalaya_data::RelationName;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::catalog::{ServerIdentity, read_identity, read_relations};
use atalaya_postgres::{Row, Session, ToSql};
use futures_util::future::try_join3;

use crate::{Error, Options, Plan};

const APPLICATION_NAME: &str = "atalaya assess";
/// Reading needs only ACCESS SHARE; whoever holds an exclusive lock longer is not waited for.
const LOCK_TIMEOUT_MS: u64 = 5_000;

/// Which of the databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SideName {
    /// Where the rows are.
    Source,
    /// Where they shall be.
    Target,
    /// What spares the source: rows and schema are read there.
    Standby,
}

impl fmt::Display for SideName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Standby => "standby",
        })
    }
}

/// The role that logged in, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Superuser.
    pub superuser: bool,
    /// May start replication: by its attribute, as a superuser, or as a member of `rds_replication`.
    pub replication: bool,
    /// Sees rows whatever policies say.
    pub bypasses_row_security: bool,
    /// Sees what other roles' sessions do (`pg_read_all_stats`, part of `pg_monitor`).
    pub reads_all_stats: bool,
    /// Member of `rds_superuser` or a like role of a managed service.
    pub managed_admin: bool,
}

/// One database as it was seen.
pub struct Side {
    /// Which one.
    pub name: SideName,
    /// The connection that checks ask.
    pub session: Session,
    /// Every table, in name order.
    pub relations: Vec<Relation>,
    /// Which server and database it is.
    pub identity: ServerIdentity,
    /// The role that logged in.
    pub role: Role,
    /// Whether the server is a standby.
    pub in_recovery: bool,
    /// Where it was found.
    pub url: ConnectionUrl,
    settings: HashMap<String, String>,
    by_name: HashMap<RelationName, usize>,
}

impl Side {
    async fn read(name: SideName, url: &ConnectionUrl, options: &Options) -> Result<Self, atalaya_postgres::Error> {
        let session = Session::connect(url, APPLICATION_NAME).await?;
        session
            .batch(&format!(
                "SET default_transaction_read_only = on; SET statement_timeout = {}; SET lock_timeout = {};",
                options.statement_timeout.as_millis(),
                LOCK_TIMEOUT_MS
            ))
            .await?;
        let role = read_role(&session).await?;
        let in_recovery = session.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await?.get(0);
        let settings = session
            .query("SELECT name, setting FROM pg_catalog.pg_settings", &[])
            .await?
            .iter()
            .map(|row| (row.get(0), row.get::<_, Option<String>>(1).unwrap_or_default()))
            .collect();
        let relations = read_relations(&session).await?;
        let by_name =
            relations.iter().enumerate().map(|(position, relation)| (relation.name.clone(), position)).collect();
        Ok(Self {
            name,
            relations,
            identity: read_identity(&session).await?,
            role,
            in_recovery,
            url: url.clone(),
            settings,
            by_name,
            session,
        })
    }

    /// The server's major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.session.major()
    }

    /// A setting in its own unit, as `pg_settings.setting`; `None` where this version has no such setting.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// A numeric setting in its own unit.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }

    /// The relation of that name.
    #[must_use]
    pub fn relation(&self, name: &RelationName) -> Option<&Relation> {
        self.relations.get(*self.by_name.get(name)?)
    }

    /// Asks the server; for answers that are known to be small.
    ///
    /// # Errors
    /// The server's.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        Ok(self.session.query(sql, parameters).await?)
    }

    /// Asks for exactly one row.
    ///
    /// # Errors
    /// The server's.
    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        Ok(self.session.query_one(sql, parameters).await?)
    }
}

async fn read_role(session: &Session) -> Result<Role, atalaya_postgres::Error> {
    let member_of = |names: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname IN ({names})
                     AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE'))"
        )
    };
    let row = session
        .query_one(
            &format!(
                "SELECT r.rolname::text, r.rolsuper, r.rolreplication OR r.rolsuper OR {},
                        r.rolbypassrls OR r.rolsuper, r.rolsuper OR {}, {}
                   FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
                member_of("'rds_replication'"),
                member_of("'pg_read_all_stats'"),
                member_of("'rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser'"),
            ),
            &[],
        )
        .await?;
    Ok(Role {
        name: row.get(0),
        superuser: row.get(1),
        replication: row.get(2),
        bypasses_row_security: row.get(3),
        reads_all_stats: row.get(4),
        managed_admin: row.get(5),
    })
}

/// Both sides, and what was asked for.
pub struct Facts {
    /// Where the rows are.
    pub source: Side,
    /// Where they shall be.
    pub target: Side,
    /// The server that rows are read from, where that is not the source.
    pub standby: Option<Side>,
    /// What was declared beforehand.
    pub options: Options,
    selected: HashSet<u32>,
}

impl Facts {
    pub(crate) async fn read(plan: Plan) -> Result<Self, Error> {
        let at = |side| move |source| Error::Side { side, source };
        let options = &plan.options;
        let side = |side, url| async move { Side::read(side, url, options).await.map_err(at(side)) };
        let spared = async {
            match &options.snapshot_from {
                Some(url) => side(SideName::Standby, url).await.map(Some),
                None => Ok(None),
            }
        };
        let (source, target, standby) =
            try_join3(side(SideName::Source, &plan.source), side(SideName::Target, &plan.target), spared).await?;
        let selected = source
            .relations
            .iter()
            .filter(|relation| relation.extension.is_none() && relation.chosen_by(&plan.tables))
            .map(|relation| relation.oid)
            .collect();
        Ok(Self { source, target, standby, options: plan.options, selected })
    }

    /// The source's tables that are to move, roots and foreign tables included; never an extension's own.
    pub fn selected(&self) -> impl Iterator<Item = &Relation> {
        self.source.relations.iter().filter(|relation| self.selected.contains(&relation.oid))
    }

    /// The source's tables that are to move and hold rows themselves.
    pub fn moving(&self) -> impl Iterator<Item = &Relation> {
        self.selected().filter(|relation| relation.holds_rows())
    }

    /// Whether the source's relation with this OID is to move.
    #[must_use]
    pub fn is_selected(&self, oid: u32) -> bool {
        self.selected.contains(&oid)
    }

    /// The OIDs of the selected tables on the source, for `= ANY($1)`.
    #[must_use]
    pub fn selected_oids(&self) -> Vec<u32> {
        self.selected().map(|relation| relation.oid).collect()
    }

    /// Whether somebody declared that the table sees only INSERT.
    #[must_use]
    pub fn is_append_only(&self, relation: &Relation) -> bool {
        relation.chosen_by(&self.options.append_only)
    }

    /// Source, then target.
    #[must_use]
    pub fn sides(&self) -> [&Side; 2] {
        [&self.source, &self.target]
    }

    /// Every server that the move connects to: source, target, and the standby where one is named.
    pub fn servers(&self) -> impl Iterator<Item = &Side> {
        self.sides().into_iter().chain(&self.standby)
    }
}
