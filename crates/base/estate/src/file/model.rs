//! What an estate file declares, after every check passed.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use atalaya_data::RelationName;

use super::problem::EstateProblem;
use crate::{ConflictRules, ConnectionUrl, Gateway, TablePattern, TablePatterns};

/// Services, databases, migrations and the gateway of one estate.
#[derive(Clone, Debug)]
pub struct Estate {
    /// The estate's own name.
    pub name: String,
    /// Who owns which data.
    pub services: BTreeMap<String, Service>,
    /// Where data lives.
    pub databases: BTreeMap<String, Database>,
    /// What moves from where to where.
    pub migrations: BTreeMap<String, Migration>,
    /// The front door of the databases; `None` where the file says nothing of one.
    pub gateway: Option<Gateway>,
    pub(crate) warnings: Vec<EstateProblem>,
}

/// A service and where it keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// A declared database, or an engine that is drawn only.
    pub database: StoredIn,
    /// Architecture patterns by their usual names, for example `Saga Pattern`.
    pub patterns: Vec<String>,
}

/// Where a service keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredIn {
    /// A key of `databases`.
    Database(String),
    /// An engine without a declared database: enough to draw, not to connect.
    Engine(Engine),
}

/// One database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// What runs it.
    pub engine: Engine,
    /// Where it is; always there for [`Engine::Postgres`], `None` for engines that are drawn only.
    ///
    /// A passfile is not looked into yet: see [`ConnectionUrl::with_passfile`].
    pub url: Option<ConnectionUrl>,
}

/// One move, as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The key of the source in `databases`.
    pub source: String,
    /// The key of the target in `databases`.
    pub target: String,
    /// The key in `databases` of a physical standby of the source that rows are read from.
    pub snapshot_from: Option<String>,
    /// The tables that move; everything unless said otherwise.
    pub tables: TablePatterns,
    /// Tables declared to be only inserted into.
    pub append_only: Vec<TablePattern>,
    /// What happens when a change does not find the row it expects; none where nothing is said.
    pub conflicts: Option<ConflictRules>,
    /// Parallel workers, from 1 to 64; `None` leaves the choice to the command.
    pub workers: Option<NonZeroU16>,
    /// Whether an event trigger on the source tells of each statement about its tables.
    pub ddl_trigger: bool,
}

impl Migration {
    /// Whether a table is declared to be only inserted into.
    #[must_use]
    pub fn is_append_only(&self, relation: &RelationName) -> bool {
        self.append_only.iter().any(|pattern| pattern.matches(relation))
    }
}

/// A migration with its two databases found.
#[derive(Clone, Copy, Debug)]
pub struct ResolvedMigration<'estate> {
    /// The migration's name.
    pub name: &'estate str,
    /// The database to read from.
    pub source: &'estate Database,
    /// The source's address.
    pub source_url: &'estate ConnectionUrl,
    /// The database to write to.
    pub target: &'estate Database,
    /// The target's address.
    pub target_url: &'estate ConnectionUrl,
    /// The address of the standby that rows are read from, where one is declared.
    pub snapshot_url: Option<&'estate ConnectionUrl>,
    /// Everything else that was declared.
    pub migration: &'estate Migration,
}

impl Estate {
    /// A migration by name, with its source and target; `None` when none has this name.
    #[must_use]
    pub fn migration(&self, name: &str) -> Option<ResolvedMigration<'_>> {
        let (name, migration) = self.migrations.get_key_value(name)?;
        let source = self.databases.get(&migration.source)?;
        let target = self.databases.get(&migration.target)?;
        let snapshot_url = match &migration.snapshot_from {
            Some(standby) => Some(self.databases.get(standby)?.url.as_ref()?),
            None => None,
        };
        Some(ResolvedMigration {
            name,
            source,
            source_url: source.url.as_ref()?,
            target,
            target_url: target.url.as_ref()?,
            snapshot_url,
            migration,
        })
    }

    /// What works but should be changed, for example a password written into the file.
    #[must_use]
    pub fn warnings(&self) -> &[EstateProblem] {
        &self.warnings
    }
}

macro_rules! engines {
    ($($variant:ident $word:literal $doc:literal),+ $(,)?) => {
        /// What runs a database. Only [`Engine::Postgres`] is connected to; the others are drawn.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Engine { $(#[doc = $doc] $variant),+ }

        impl Engine {
            /// Every engine.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The engine's word in the estate file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

engines! {
    Postgres "postgres" "PostgreSQL, wherever it runs.",
    Aurora "aurora" "Amazon Aurora.",
    MySql "mysql" "MySQL.",
    MariaDb "mariadb" "MariaDB.",
    SqlServer "sqlserver" "Microsoft SQL Server.",
    Oracle "oracle" "Oracle Database.",
    Sqlite "sqlite" "SQLite.",
    DynamoDb "dynamodb" "Amazon DynamoDB.",
    DocumentDb "documentdb" "Amazon DocumentDB.",
    MongoDb "mongodb" "MongoDB.",
    Redis "redis" "Redis or Valkey.",
    ElastiCache "elasticache" "Amazon ElastiCache.",
    MemoryDb "memorydb" "Amazon MemoryDB.",
    Keyspaces "keyspaces" "Amazon Keyspaces.",
    Cassandra "cassandra" "Apache Cassandra.",
    Neptune "neptune" "Amazon Neptune.",
    Gremlin "gremlin" "A Gremlin server.",
    Timestream "timestream" "Amazon Timestream.",
    OpenSearch "opensearch" "OpenSearch.",
    Redshift "redshift" "Amazon Redshift.",
    Athena "athena" "Amazon Athena.",
    ClickHouse "clickhouse" "ClickHouse.",
    Snowflake "snowflake" "Snowflake.",
    Delta "delta" "Delta Lake tables.",
    S3 "s3" "Objects in Amazon S3.",
    Kafka "kafka" "Apache Kafka.",
    Kinesis "kinesis" "Amazon Kinesis.",
    Nats "nats" "NATS JetStream.",
}

impl Engine {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        if word == "postgresql" {
            return Some(Self::Postgres);
        }
        Self::ALL.iter().copied().find(|engine| engine.word() == word)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}
