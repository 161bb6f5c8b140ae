//! The client proves its password; nobody learns whether a user exists.

use atalaya_pgwire::server::{HEADER_BYTES, SaslInitial, ScramServer, ScramVerifier, client_tag, header, reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::LoginFailure;
use crate::error::refusal;
use crate::gateway::Gateway;
use crate::io::ClientStream;

/// The longest message of a password exchange.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// SCRAM-SHA-256, bound to the TLS channel where there is one.
pub(super) async fn authenticate(stream: &mut ClientStream, user: &str, gateway: &Gateway) -> Result<(), LoginFailure> {
    let server_end_point = match stream {
        ClientStream::Tls(_) => gateway.tls().and_then(|tls| tls.server_end_point.clone()),
        ClientStream::Tcp(_) | ClientStream::Unix(_) => None,
    };
    let verifier =
        gateway.verifier(user).unwrap_or_else(|| ScramVerifier::for_unknown_user(user, &gateway.unknown_users_key));
    let mechanisms = ScramServer::mechanisms(server_end_point.as_deref());
    let mut exchange = ScramServer::new(verifier, server_end_point, rand::random());
    let mut out = Vec::new();
    reply::authentication_sasl(mechanisms, &mut out);
    let body = ask(stream, &out).await?;
    let initial = SaslInitial::decode(&body)?;
    let challenge = exchange.initial(initial.mechanism, initial.data)?;
    out.clear();
    reply::authentication_sasl_continue(&challenge, &mut out);
    let body = ask(stream, &out).await?;
    let proof = exchange.proceed(&body)?;
    out.clear();
    reply::authentication_sasl_final(&proof, &mut out);
    stream.write_all(&out).await?;
    Ok(())
}

/// Sends a message and reads the client's answer.
async fn ask(stream: &mut ClientStream, out: &[u8]) -> Result<Vec<u8>, LoginFailure> {
    stream.write_all(out).await?;
    stream.flush().await?;
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).await?;
    let expected = |text| refusal(atalaya_pgwire::server::Severity::Fatal, "08P01", text);
    match header(&head)? {
        Some((client_tag::PASSWORD, length)) if length <= MESSAGE_BYTES_MAX => {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            Ok(body)
        }
        Some((client_tag::PASSWORD, _)) => Err(expected("a message of the password exchange is too long").into()),
        _ => Err(expected("a message of the password exchange was expected").into()),
    }
}
