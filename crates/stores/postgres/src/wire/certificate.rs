//! The hash of a server's certificate that binds a password exchange to its TLS channel.
//!
//! RFC 5929, `tls-server-end-point`: the certificate is hashed with the hash of its own signature algorithm,
//! MD5 and SHA-1 replaced by SHA-256. Algorithms without such a hash (Ed25519, RSA-PSS by its parameters) have no
//! binding here; then SCRAM runs without one, as libpq does. Only the outermost structure of the certificate is
//! read, so no parser for all of X.509 is needed.

use sha2::{Digest, Sha256, Sha384, Sha512};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// 1.2.840.113549.1.1: RSA with PKCS #1 v1.5; the last byte says the hash.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4.3: ECDSA with SHA-2; the last byte says the hash.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
/// 1.2.840.10045.4.1: ECDSA with SHA-1.
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

/// The binding for a certificate in DER; `None` where its signature algorithm defines none.
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    let (last, family) = algorithm.split_last()?;
    match (family, *last) {
        _ if algorithm == ECDSA_SHA1 => Some(Sha256::digest(certificate).to_vec()),
        (RSA, 4 | 5 | 11) | (ECDSA, 2) => Some(Sha256::digest(certificate).to_vec()),
        (RSA, 12) | (ECDSA, 3) => Some(Sha384::digest(certificate).to_vec()),
        (RSA, 13) | (ECDSA, 4) => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OID, .. }, .. }`
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, after_body) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(after_body, SEQUENCE)?;
    element(algorithm, OBJECT_IDENTIFIER).map(|(oid, _)| oid)
}

/// The content of the first DER element and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match *first {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (length, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use atalaya_damage::damaged;
    use proptest::prelude::*;

    use super::*;

    /// As much of a certificate as is looked at, signed with this algorithm.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let within = |tag, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let algorithm = within(SEQUENCE, &within(OBJECT_IDENTIFIER, algorithm));
        within(SEQUENCE, &[within(SEQUENCE, &[0]), algorithm].concat())
    }

    fn certificates() -> Vec<Vec<u8>> {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let algorithms = [&[ECDSA, &[3]].concat()[..], &[RSA, &[13]].concat(), ECDSA_SHA1].map(certificate);
        algorithms.into_iter().chain([issued.cert.der().to_vec()]).collect()
    }

    #[test]
    fn a_certificate_is_hashed_with_the_hash_of_its_own_algorithm() {
        let lengths = certificates().into_iter().map(|certificate| server_end_point(&certificate).unwrap().len());
        assert_eq!(lengths.collect::<Vec<_>>(), [48, 64, 32, 32]);
    }

    proptest! {
        #[test]
        fn arbitrary_and_damaged_certificates_have_a_binding_of_a_hash_s_length_or_none(
            bytes in prop_oneof![any::<Vec<u8>>(), damaged(certificates())],
        ) {
            let binding = server_end_point(&bytes);
            prop_assert!(binding.is_none_or(|hash| [32, 48, 64].contains(&hash.len())));
        }

        #[test]
        fn an_element_and_what_follows_it_lie_in_the_bytes(
            bytes in prop_oneof![any::<Vec<u8>>(), damaged(certificates())],
        ) {
            if let Some((content, rest)) = bytes.first().and_then(|tag| element(&bytes, *tag)) {
                prop_assert!(bytes.ends_with(&[content, rest].concat()));
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_binding() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0xff], &[0x06, 0x00]] {
            assert_eq!(server_end_point(bytes), None);
        }
    }
}
