//! From the estate's section `gateway` to what is served: secrets read, verifiers and certificates understood.
//!
//! Made whole or not at all, at the start and at each reload; a gateway never serves half of a new configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use atalaya_estate::{
    ConnectionUrl, Estate, Gateway, GatewayAdmin, GatewayDatabase, GatewayTls, Pooling, SecretError, SessionCheck,
};
use atalaya_pgwire::server::{InvalidVerifier, ScramVerifier};
use atalaya_postgres::wire::server_end_point;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::admin::{AdminIdentity, AdminTls};
use crate::pool::PoolLimits;

/// Protocols by which TLS without a request before it is agreed on.
const ALPN: &[u8] = b"postgresql";

/// Why an estate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The estate has no section `gateway`.
    #[error("the estate has no section `gateway`")]
    NoGateway,
    /// The section lets nobody in.
    #[error("the section `gateway` has no {0}")]
    Empty(&'static str),
    /// A route leads nowhere.
    #[error("the gateway's database `{database}` leads to `{to}`, which is no Postgres of the estate")]
    NoPlace {
        /// The gateway's name of the database.
        database: String,
        /// The name in `databases`.
        to: String,
    },
    /// A server secret cannot be read.
    #[error("the secret of user `{user}` for database `{database}`")]
    Secret {
        /// The user's name.
        user: String,
        /// The gateway's name of the database.
        database: String,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// A verifier is none.
    #[error("the verifier of user `{user}`")]
    Verifier {
        /// The user's name.
        user: String,
        /// Why.
        #[source]
        source: InvalidVerifier,
    },
    /// A certificate or key cannot be read.
    #[error("`{}` cannot be read as PEM", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate and a key do not make TLS.
    #[error("the certificate `{}` cannot be used", path.display())]
    Tls {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// No certificate can be believed by this file.
    #[error("`{}` holds no authority for certificates", path.display())]
    Authority {
        /// The authority's file.
        path: PathBuf,
        /// What is wrong with a certificate in it; `None` when there is none.
        #[source]
        source: Option<rustls::Error>,
    },
}

impl ConfigurationError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoGateway | Self::Empty(_) => Some("give it `users` and `databases`: see docs/gateway.md".to_owned()),
            Self::NoPlace { .. } => Some("declare it in `databases` with `engine: postgres` and a `url`".to_owned()),
            Self::Secret { source, .. } => Some(source.hint().to_owned()),
            Self::Verifier { .. } => Some("make one with `atalaya gateway verifier`".to_owned()),
            Self::Pem { .. } | Self::Tls { .. } => {
                Some("a certificate and its private key, both in PEM format, readable by this user".to_owned())
            }
            Self::Authority { .. } => {
                Some("the certificate of the authority that issued the other side's, in PEM format".to_owned())
            }
        }
    }
}

/// What is served.
#[derive(Debug)]
pub struct Configuration {
    pub(crate) gateway: Gateway,
    pub(crate) verifiers: BTreeMap<String, ScramVerifier>,
    pub(crate) databases: BTreeMap<String, DatabaseConfiguration>,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) admin: Option<AdminTls>,
    /// Every Postgres of the estate: a database can be led to another one while it is served.
    pub(crate) places: BTreeMap<String, ConnectionUrl>,
}

/// One database's part.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseConfiguration {
    /// Where the estate file leads, which its route is named after.
    pub(crate) route: String,
    pub(crate) to: String,
    pub(crate) pooling: Pooling,
    pub(crate) session_check: SessionCheck,
    pub(crate) limits: PoolLimits,
    /// How the gateway logs in, by the client's user.
    pub(crate) logins: BTreeMap<String, ConnectionUrl>,
}

/// TLS towards clients.
#[derive(Clone)]
pub(crate) struct ClientTls {
    pub(crate) acceptor: tokio_rustls::TlsAcceptor,
    /// What binds a password exchange to this certificate, where its algorithm defines that.
    pub(crate) server_end_point: Option<Vec<u8>>,
    pub(crate) is_required: bool,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientTls").field("is_required", &self.is_required).finish_non_exhaustive()
    }
}

impl Configuration {
    /// Reads all that the estate's section names. `lookup` gives the values of variables.
    ///
    /// # Errors
    /// At the first thing that is missing or cannot be used.
    pub fn resolve(estate: &Estate, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigurationError> {
        let gateway = estate.gateway.clone().ok_or(ConfigurationError::NoGateway)?;
        if gateway.users.is_empty() {
            return Err(ConfigurationError::Empty("users"));
        }
        if gateway.databases.is_empty() {
            return Err(ConfigurationError::Empty("databases"));
        }
        let verifiers = gateway.users.iter().map(|(name, user)| {
            let verifier = user.verifier.expose().parse();
            let verifier = verifier.map_err(|source| ConfigurationError::Verifier { user: name.clone(), source })?;
            Ok((name.clone(), verifier))
        });
        let verifiers = verifiers.collect::<Result<_, _>>()?;
        let databases = gateway.databases.iter().map(|(name, database)| {
            let logins = logins_of(estate, &gateway, name, database, lookup)?;
            Ok((name.clone(), DatabaseConfiguration::new(database, logins)))
        });
        let databases = databases.collect::<Result<_, _>>()?;
        let tls = gateway.tls.as_ref().map(client_tls).transpose()?;
        let admin = gateway.admin.as_ref().map(|admin| AdminTls::of(&admin_identity(admin))).transpose()?;
        let places = estate.databases.iter().filter_map(|(name, place)| {
            let url = place.url.as_ref()?;
            // Needed by whoever logs in as the estate says; that it cannot be read is said then.
            Some((name.clone(), url.with_passfile(lookup).map_or_else(|_| url.clone(), |resolved| resolved.url)))
        });
        Ok(Self { gateway, verifiers, databases, tls, admin, places: places.collect() })
    }

    /// Where clients connect.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

impl DatabaseConfiguration {
    /// The same with its servers elsewhere.
    pub(crate) fn at(mut self, to: String, place: &ConnectionUrl) -> Self {
        self.to = to;
        for login in self.logins.values_mut() {
            *login = place.with_login(login.user(), login.password().unwrap_or_default());
        }
        self
    }

    fn new(database: &GatewayDatabase, logins: BTreeMap<String, ConnectionUrl>) -> Self {
        Self {
            route: database.to.clone(),
            to: database.to.clone(),
            pooling: database.pooling,
            session_check: database.session_check,
            limits: PoolLimits {
                servers_max: usize::from(database.servers_max.get()),
                wait: database.wait_limit,
                server_idle: database.server_idle_limit,
                server_lifetime: database.server_lifetime,
                prepared_max: usize::try_from(database.prepared_max.get()).unwrap_or(usize::MAX),
            },
            logins,
        }
    }
}

fn logins_of(
    estate: &Estate,
    gateway: &Gateway,
    name: &str,
    database: &GatewayDatabase,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, ConnectionUrl>, ConfigurationError> {
    let place = estate.databases.get(&database.to).and_then(|place| place.url.as_ref());
    let place =
        place.ok_or_else(|| ConfigurationError::NoPlace { database: name.to_owned(), to: database.to.clone() })?;
    let users = gateway.users.iter().filter_map(|(user, declared)| Some((user, declared.secrets.get(name)?)));
    users
        .map(|(user, login)| {
            let secret = login.secret.read(lookup).map_err(|source| ConfigurationError::Secret {
                user: user.clone(),
                database: name.to_owned(),
                source,
            })?;
            let server_user = login.user.as_deref().unwrap_or(user);
            Ok((user.clone(), place.with_login(server_user, secret.expose())))
        })
        .collect()
}

fn admin_identity(admin: &GatewayAdmin) -> AdminIdentity {
    AdminIdentity { certificate: admin.certificate.clone(), key: admin.key.clone(), authority: admin.authority.clone() }
}

fn client_tls(tls: &GatewayTls) -> Result<ClientTls, ConfigurationError> {
    let (certificates, key) = identity(&tls.certificate, &tls.key)?;
    let server_end_point = certificates.first().and_then(|certificate| server_end_point(certificate));
    let unusable = |source| ConfigurationError::Tls { path: tls.certificate.clone(), source };
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Clients of a pooler come and go; each ticket would be kept for nothing by those that stay.
    config.send_tls13_tickets = 1;
    Ok(ClientTls { acceptor: Arc::new(config).into(), server_end_point, is_required: tls.required })
}

/// A certificate with its chain, and its key.
pub(crate) fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConfigurationError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ConfigurationError::Pem { path, source }
    };
    let certificates = CertificateDer::pem_file_iter(certificate).map_err(unreadable(certificate))?;
    let certificates = certificates.collect::<Result<_, _>>().map_err(unreadable(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    Ok((certificates, key))
}

/// The verifier of a password, under a salt of its own, as it stands in `users`.
#[must_use]
pub fn verifier_of(password: &str, iterations: u32) -> String {
    ScramVerifier::of_password(password, rand::random(), iterations).to_text()
}

/// How long what must not last forever may last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience;

impl Patience {
    /// From the first byte to the end of a login, without the wait for a server.
    pub(crate) const LOGIN: Duration = Duration::from_secs(30);
    /// A client that is told that it has to go.
    pub(crate) const GOODBYE: Duration = Duration::from_secs(2);
}
