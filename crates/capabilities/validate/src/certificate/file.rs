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
