//! Keeps the statement driver from sending a password in clear text over plain TCP.
//!
//! The driver answers whatever the server asks for and offers no say in it, so the refusal sits beneath it: a
//! socket that reads along until the server has let in, or until TLS begins, and fails the read that asks for
//! the password. The driver never sees the question. Asking by another connection first was rejected: who sits
//! between could answer the two in different ways.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The server asked for the password in clear text.
#[derive(Debug, thiserror::Error)]
#[error("the server wants the password in clear text")]
pub(crate) struct ClearTextAsked;

/// A TCP socket that fails when the server asks for a password in clear text.
pub(crate) struct GuardedSocket {
    socket: TcpStream,
    watch: Watch,
}

impl GuardedSocket {
    /// Guards a fresh socket; `negotiates` says whether TLS is asked for first, which is answered by one byte.
    pub(crate) fn new(socket: TcpStream, negotiates: bool) -> Self {
        let watch = if negotiates { Watch::Negotiation } else { Watch::login() };
        Self { socket, watch }
    }
}

/// Where in the login the server is.
#[derive(Debug, PartialEq, Eq)]
enum Watch {
    /// Before its answer to the request for TLS.
    Negotiation,
    /// Among messages in plain text: the beginning of the present one, and bytes of it still to be passed over.
    Login { beginning: Vec<u8>, left: usize },
    /// Encrypted, or let in: nothing is to be refused any more.
    Over,
    /// Asked for the password; nothing is read any more.
    Refused,
}

/// PostgreSQL documentation, "Message Formats": the tag, its length without the tag, and for an authentication
/// request what is asked for.
const TAG_AND_LENGTH: usize = 5;
const AUTHENTICATION: u8 = b'R';
const AUTHENTICATION_BEGINNING: usize = 9;
const LET_IN: u32 = 0;
const CLEAR_TEXT: u32 = 3;

impl Watch {
    fn login() -> Self {
        Self::Login { beginning: Vec::new(), left: 0 }
    }

    /// Looks at bytes as they come, however they are cut.
    fn look(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            match self {
                Self::Over | Self::Refused => return,
                Self::Negotiation => {
                    *self = if *byte == b'S' { Self::Over } else { Self::login() };
                    bytes = rest;
                }
                Self::Login { left, .. } if *left > 0 => {
                    let passed = bytes.len().min(*left);
                    *left -= passed;
                    bytes = bytes.get(passed..).unwrap_or_default();
                }
                Self::Login { beginning, left } => {
                    beginning.push(*byte);
                    bytes = rest;
                    match judge(beginning) {
                        Judgement::More => {}
                        Judgement::PassOver(body) => {
                            beginning.clear();
                            *left = body;
                        }
                        Judgement::LetIn => *self = Self::Over,
                        Judgement::Refuse => *self = Self::Refused,
                    }
                }
            }
        }
    }
}

enum Judgement {
    More,
    PassOver(usize),
    LetIn,
    Refuse,
}

fn judge(beginning: &[u8]) -> Judgement {
    let number = |at: usize| {
        let bytes = beginning.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        bytes.map(u32::from_be_bytes)
    };
    let Some(length) = number(1).and_then(|length| usize::try_from(length).ok()) else { return Judgement::More };
    if beginning.first() != Some(&AUTHENTICATION) {
        return Judgement::PassOver((length + 1).saturating_sub(TAG_AND_LENGTH));
    }
    match number(TAG_AND_LENGTH) {
        None => Judgement::More,
        Some(LET_IN) => Judgement::LetIn,
        Some(CLEAR_TEXT) => Judgement::Refuse,
        Some(_) => Judgement::PassOver((length + 1).saturating_sub(AUTHENTICATION_BEGINNING)),
    }
}

impl AsyncRead for GuardedSocket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = &read {
            this.watch.look(buffer.filled().get(before..).unwrap_or_default());
        }
        if this.watch == Watch::Refused {
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::PermissionDenied, ClearTextAsked)));
        }
        read
    }
}

impl AsyncWrite for GuardedSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const NOTICE: &[u8] = b"N\0\0\0\x09RRRRR";
    const SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";

    /// What is made of bytes, given at once and one by one.
    fn watch(negotiates: bool, parts: &[&[u8]]) -> Watch {
        let bytes = parts.concat();
        let begin = || if negotiates { Watch::Negotiation } else { Watch::login() };
        let (mut at_once, mut one_by_one) = (begin(), begin());
        at_once.look(&bytes);
        bytes.iter().for_each(|byte| one_by_one.look(&[*byte]));
        assert_eq!(at_once, one_by_one);
        at_once
    }

    #[test]
    fn the_question_is_found_wherever_it_stands_before_the_login_s_end() {
        assert_eq!(watch(false, &[ASKED]), Watch::Refused);
        assert_eq!(watch(true, &[b"N", NOTICE, ASKED]), Watch::Refused);
        assert_eq!(watch(false, &[NOTICE, SCRAM, ASKED]), Watch::Refused);
    }

    #[test]
    fn nothing_is_refused_under_tls_or_once_let_in() {
        assert_eq!(watch(true, &[b"S", ASKED]), Watch::Over);
        assert_eq!(watch(false, &[SCRAM, LET_IN, ASKED]), Watch::Over);
        assert_eq!(watch(false, &[SCRAM]), Watch::login());
    }
}
