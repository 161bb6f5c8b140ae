//! The certificate as a file: JSON with its digest, or a page that shows the same and carries it.

use serde_json::{Value, json};

use super::digest::digest;
use super::document::{Certificate, FORMAT};
use super::error::CertificateError;
use super::page::{DATA_END, DATA_START, render_page};

/// The JSON file.
///
/// # Errors
/// None that can be met: every part has a JSON form.
pub fn to_json(certificate: &Certificate) -> Result<String, CertificateError> {
    let unreadable = |_| CertificateError::Unreadable { reason: "it has no JSON form" };
    let value = serde_json::to_value(certificate).map_err(unreadable)?;
    let sealed = json!({ "sha256": digest(&value), "certificate": value });
    serde_json::to_string_pretty(&sealed).map(|text| text + "\n").map_err(unreadable)
}

/// The page, which holds the JSON file.
///
/// # Errors
/// As [`to_json`].
pub fn to_html(certificate: &Certificate) -> Result<String, CertificateError> {
    let json = to_json(certificate)?;
    let value: Value = serde_json::from_str(&json).map_err(|_| NO_JSON)?;
    let seal = value.get("sha256").and_then(Value::as_str).unwrap_or_default();
    Ok(render_page(certificate, seal, &json))
}

const NO_JSON: CertificateError = CertificateError::Unreadable { reason: "its data cannot be read" };

/// Reads either file, and proves that it is as it was written.
///
/// # Errors
/// When it holds no certificate, one of a later format, or one that was changed.
pub fn read_certificate(text: &str) -> Result<Certificate, CertificateError> {
    let is_page = !text.trim_start().starts_with('{');
    let data = if is_page { data_of_page(text)? } else { text };
    let sealed: Value = serde_json::from_str(data).map_err(|_| NO_JSON)?;
    let (Some(value), Some(seal)) = (sealed.get("certificate"), sealed.get("sha256").and_then(Value::as_str)) else {
        return Err(CertificateError::Unreadable { reason: "it has no `certificate` with its `sha256`" });
    };
    let format = value.get("format").and_then(Value::as_u64).unwrap_or_default();
    if format > u64::from(FORMAT) {
        return Err(CertificateError::LaterFormat { format });
    }
    if digest(value) != seal {
        return Err(CertificateError::Changed { what: "its digest is another one" });
    }
    let certificate: Certificate = serde_json::from_value(value.clone()).map_err(|_| NO_JSON)?;
    // Another version may set the page otherwise; its data has been proven all the same.
    if is_page && certificate.product == super::make::product() && to_html(&certificate)? != text {
        return Err(CertificateError::Changed { what: "the page does not say what its data says" });
    }
    Ok(certificate)
}

fn data_of_page(text: &str) -> Result<&str, CertificateError> {
    let inner = text.split_once(DATA_START).and_then(|(_, rest)| rest.split_once(DATA_END)).map(|(data, _)| data);
    inner.ok_or(CertificateError::Unreadable { reason: "the page carries no data" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{CertifiedCutover, CertifiedGateway};

    /// As a version wrote it that knew nothing of cutovers.
    const OLD: &str = r#"{"sha256": "ae08e130b415f048f03b2e40b1ac558b71a3e7e00c01b0b6c92b4bf29a0f38fb", "certificate": {"format": 1, "product": "atalaya 0.0.9", "migration": "shop", "occasion": "finish", "moment": "quiesced", "fence": null, "began_at": null, "made_at": "2026-01-01T00:00:00Z", "source": {"server_version": "13.23", "database": "shop", "system_identifier": "7", "timeline": 1, "encoding": "UTF8"}, "target": {"server_version": "18.6", "database": "shop", "system_identifier": "7", "timeline": 1, "encoding": "UTF8"}, "hash": {"algorithm": "a", "seed": "1", "converted": false, "settings": {}}, "tables": [], "accepted": [], "not_read": [], "not_certified": [], "sequences": [], "schema": {"differences": [], "pending": 0, "compared": {}, "not_compared": []}, "conflicts": [], "position": null, "proof": null}}"#;

    fn cutover() -> CertifiedCutover {
        let gateway = CertifiedGateway {
            clients_held: 12,
            clients_ended: 1,
            failed: 0,
            longest_wait_us: 90_500,
            paused_us: 100_000,
        };
        CertifiedCutover {
            at: "2026-01-01T00:00:00Z".to_owned(),
            direction: "forward".to_owned(),
            epoch: 3,
            from: "shop".to_owned(),
            to: "</script><b>green".to_owned(),
            from_major: Some(13),
            to_major: Some(18),
            program: None,
            resumed: false,
            pause_us: 101_234,
            stages: Vec::new(),
            gateways: vec![gateway],
            commands: Vec::new(),
            sessions_ended: 2,
            rows_proven: 7,
            unproven: vec!["public.log".to_owned()],
            sequences: 1,
            fenced_at: Some("0/10".to_owned()),
            marker: Some("0/18".to_owned()),
        }
    }

    #[test]
    fn a_file_of_before_is_read_and_written_as_it_was() {
        let old = read_certificate(OLD).unwrap();
        assert!(old.cutovers.is_empty());
        let stored: Value = serde_json::from_str(OLD).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&to_json(&old).unwrap()).unwrap(), stored);
        let page = to_html(&old).unwrap();
        assert!(!page.contains("utover"), "{page}");
        assert_eq!(read_certificate(&page).unwrap(), old);
    }

    #[test]
    fn a_file_with_cutovers_is_read_in_both_forms_and_what_was_changed_is_found() {
        let mut certificate = read_certificate(OLD).unwrap();
        certificate.product = crate::certificate::make::product();
        certificate.cutovers =
            vec![cutover(), CertifiedCutover { direction: "back".to_owned(), epoch: 4, ..cutover() }];
        let (json, page) = (to_json(&certificate).unwrap(), to_html(&certificate).unwrap());
        for text in [&json, &page] {
            assert_eq!(read_certificate(text).unwrap(), certificate);
        }
        for shown in
            ["101.2 ms", "90.5 ms", "12 held, 1 ended", "&lt;b&gt;green", "not proven by decision: public.log", "0/18"]
        {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let other = json.replacen("\"rows_proven\": 7", "\"rows_proven\": 8", 1);
        assert!(matches!(read_certificate(&other), Err(CertificateError::Changed { .. })));
        let other = page.replacen("101.2 ms", "1.2 ms", 1);
        assert!(matches!(read_certificate(&other), Err(CertificateError::Changed { .. })));
    }
}
