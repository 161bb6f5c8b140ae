//! From an open socket to a session that is ready for queries.

use atalaya_pgwire::{
    self as pgwire, Authentication, BackendMessage, CodecError, SaslClient, SaslMechanism, ServerError,
};

use super::connection::{ClientEncoding, WireConnection, WireOptions};
use super::error::{LoginFailure, WireError};
use super::stream::address_of;

const DURING: &str = "the login";

pub(super) async fn login(connection: &mut WireConnection, options: &WireOptions) -> Result<(), WireError> {
    let url = connection.url.clone();
    let mut parameters = vec![
        ("user", url.user()),
        ("database", url.database()),
        ("application_name", options.application_name.as_str()),
    ];
    if options.encoding == ClientEncoding::Utf8 {
        parameters.push(("client_encoding", "UTF8"));
    }
    if options.replication {
        parameters.push(("replication", "database"));
    }
    parameters.extend(options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    pgwire::startup(parameters, &mut connection.write).map_err(protocol)?;
    connection.flush(DURING).await?;
    let mut sasl = None;
    loop {
        match connection.receive(DURING).await? {
            BackendMessage::Authentication(step) => answer(connection, step, &mut sasl).await?,
            BackendMessage::BackendKeyData { process_id, secret_key } => {
                connection.process_id = process_id;
                connection.secret_key = secret_key;
            }
            BackendMessage::NegotiateProtocolVersion => {}
            BackendMessage::ReadyForQuery(_) => return Ok(()),
            BackendMessage::Error(error) => return Err(refusal(connection, error)),
            _ => return Err(WireError::Unexpected { during: DURING }),
        }
    }
}

async fn answer(
    connection: &mut WireConnection,
    step: Authentication,
    sasl: &mut Option<SaslClient>,
) -> Result<(), WireError> {
    let url = connection.url.clone();
    let user = || url.user().to_owned();
    let password = || url.password().ok_or_else(|| WireError::NoPassword { user: user() });
    let unproven = |_| WireError::UnprovenServer { user: user() };
    let out = &mut connection.write;
    match (step, sasl) {
        // A server that skips its last step has not proven that it knows the password.
        (Authentication::Ok, Some(exchange)) if !exchange.is_finished() => {
            return Err(WireError::UnprovenServer { user: user() });
        }
        (Authentication::Ok, _) => {}
        (Authentication::CleartextPassword, None) => {
            if !connection.stream.is_private() {
                return Err(WireError::CleartextPassword { user: user() });
            }
            pgwire::password(password()?.as_bytes(), out).map_err(protocol)?;
        }
        (Authentication::Md5Password { salt }, None) => {
            let hash = pgwire::md5_password(url.user(), password()?, salt);
            pgwire::password(hash.as_bytes(), out).map_err(protocol)?;
        }
        (Authentication::Sasl { mechanisms }, exchange @ None) => {
            let binding = connection.stream.server_end_point();
            let client = SaslClient::choose(&mechanisms, password()?, binding)
                .ok_or_else(|| WireError::UnsupportedAuthentication { method: mechanisms.join(", ") })?;
            connection.is_channel_bound = client.mechanism() == SaslMechanism::ScramSha256Plus;
            client.start(out).map_err(protocol)?;
            *exchange = Some(client);
        }
        (Authentication::SaslContinue(challenge), Some(exchange)) => {
            exchange.proceed(&challenge, out).map_err(protocol)?;
        }
        (Authentication::SaslFinal(proof), Some(exchange)) => exchange.finish(&proof).map_err(unproven)?,
        (Authentication::Unsupported(number), _) => {
            return Err(WireError::UnsupportedAuthentication { method: format!("number {number}") });
        }
        _ => return Err(WireError::Unexpected { during: DURING }),
    }
    connection.flush(DURING).await
}

fn refusal(connection: &WireConnection, error: ServerError) -> WireError {
    let reason = match error.sqlstate.as_str() {
        "28P01" => LoginFailure::Password,
        "3D000" => LoginFailure::Database,
        "28000" => LoginFailure::NotAllowed,
        _ => LoginFailure::Other,
    };
    WireError::Login {
        reason,
        user: connection.url.user().to_owned(),
        database: connection.url.database().to_owned(),
        address: address_of(&connection.url),
        source: Box::new(error),
    }
}

fn protocol(source: CodecError) -> WireError {
    WireError::Protocol { during: DURING, source }
}
