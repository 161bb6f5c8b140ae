//! The certificate of a move that ends: begun while nothing writes, completed once the application may go on.

use std::path::PathBuf;

use atalaya_data::RelationName;
use atalaya_replicate::Plan;
use atalaya_validate::{Certificate, CertificateDraft, Report};

use crate::command::validate::certificate::{self, Written};
use crate::endpoints::Endpoints;
use crate::exit::{self, Failure};
use crate::global::Context;
use crate::journal::{self, Journal};

/// Arguments of `finish` about the certificate.
#[derive(Debug, clap::Args)]
pub(super) struct CertifiedArguments {
    /// Where the move's certificate is written, as FILE.html and FILE.json; unless told otherwise, in the folder
    /// `certificates` of the local state.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Make no certificate.
    #[arg(long, conflicts_with = "certificate")]
    no_certificate: bool,
}

/// What became of the certificate of a move that has ended.
pub(super) enum Certified {
    /// None was asked for.
    NotAsked,
    /// It is written.
    Written {
        /// Where.
        files: Written,
        /// What it says.
        certificate: Box<Certificate>,
    },
    /// There is none, and the move has ended all the same.
    Failed(Failure),
}

impl CertifiedArguments {
    /// Opens the snapshots while nothing writes; that there can be no certificate is told before anything is removed.
    pub(super) async fn draft(
        &self,
        endpoints: &Endpoints,
        workers: usize,
        proof: &Report,
        accepted: &[RelationName],
        journal: &Journal,
    ) -> Result<Option<CertificateDraft>, Failure> {
        if self.no_certificate {
            return Ok(None);
        }
        let draft = async {
            let cutovers = journal::cutovers_in(endpoints, journal).await?;
            certificate::draft_at_finish(endpoints, workers, proof, accepted, cutovers).await
        };
        let draft = draft.await;
        draft.map(Some).map_err(|failure| Failure {
            message: format!("the certificate cannot be made, so nothing was removed: {}", failure.message),
            hint: Some("put that right and run the same command again, or finish with --no-certificate".to_owned()),
            ..failure
        })
    }

    /// The same where clients are on the target. What is compared there forbids nothing, so that it is only told where there
    /// can be no certificate.
    pub(super) async fn draft_led_over(
        &self,
        plan: &Plan,
        endpoints: &Endpoints,
        journal: &Journal,
        context: &Context,
    ) -> Option<CertificateDraft> {
        if self.no_certificate {
            return None;
        }
        let draft = async {
            let way_back = atalaya_replicate::way_back_status(plan).await?;
            if !way_back.running || !way_back.possible {
                return Err(Failure::usage("the way back does not run: `atalaya migrate start` goes on with it"));
            }
            let cutovers = journal::cutovers_in(endpoints, journal).await?;
            certificate::draft_led_over(endpoints, plan.options.workers, cutovers).await
        };
        match draft.await {
            Ok(draft) => Some(draft),
            Err(failure) => {
                context.note(&format!("warning: there is no certificate of this move: {}", failure.message));
                None
            }
        }
    }

    /// Hashes every row in the snapshots, and writes the files.
    pub(super) async fn certify(
        &self,
        endpoints: &Endpoints,
        draft: Option<CertificateDraft>,
        context: &Context,
    ) -> Certified {
        let Some(draft) = draft else { return Certified::NotAsked };
        context.note("finished: the application may use the target; the certificate is being made");
        let made = async {
            let certificate = draft.complete().await?;
            let path = self.certificate.clone();
            let path = path.unwrap_or_else(|| certificate::default_path(&certificate, endpoints, context));
            let files = certificate::write(&certificate, &path)?;
            Ok::<_, Failure>(Certified::Written { files, certificate: Box::new(certificate) })
        };
        made.await.unwrap_or_else(Certified::Failed)
    }
}

/// What the proof before the end has left to stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    /// Nothing differs.
    Equal,
    /// Rows or sequences differ, and that was accepted.
    Differences,
}

impl Certified {
    /// Says it; the answer is the exit code.
    pub(super) fn tell(
        &self,
        context: &Context,
        decided: Decided,
        text: &mut String,
        json: &mut serde_json::Value,
    ) -> u8 {
        match self {
            Self::NotAsked => exit::DONE,
            Self::Failed(failure) => {
                context.note(&format!("warning: the move has ended, without its certificate: {}", failure.message));
                exit::DONE
            }
            Self::Written { files, certificate } => {
                text.push_str(&format!("\ncertificate: {}", files.html.display()));
                if let Some(members) = json.as_object_mut() {
                    members.insert("certificate".to_owned(), files.json());
                }
                if certificate.rows_are_equal() {
                    return exit::DONE;
                }
                if decided == Decided::Differences {
                    text.push_str("\nthe certificate lists what differs by decision");
                    return exit::DONE;
                }
                text.push_str("\nDIFFERENT: the certificate found rows or sequences that are not equal");
                exit::DIFFERENT
            }
        }
    }
}
