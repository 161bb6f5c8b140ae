//! Objects in JSON that stand for personal values, found and replaced where they are. All else stays letter by letter:
//! a number of forty digits is not what a parser makes of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::ErasureError;

/// `{"$personal": {"subject": .., "value": ..}}`: to be sealed; never stored.
pub(crate) const PERSONAL: &str = "$personal";
/// `{"$sealed": ..}`: as it is stored.
pub(super) const SEALED: &str = "$sealed";
/// `{"$opened": {"value": .., "sealed": ..}}`: in memory, between opening and reading.
pub(super) const OPENED: &str = "$opened";
/// `{"$erased": ..}`: in memory, in the place of a sealed one whose key was dropped.
pub(super) const ERASED: &str = "$erased";

/// How deep JSON may be nested around a marker.
const DEPTH_MAX: u32 = 128;

/// The members of an object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Replaces each object whose only member has the marker's name by what `replace` makes of its place (RFC 6901) and its
/// content. What such a member holds is not looked into.
pub(super) fn rewrite(
    json: &str,
    marker: &str,
    replace: &mut dyn FnMut(&str, &RawValue) -> Result<String, ErasureError>,
) -> Result<String, ErasureError> {
    let mut written = String::with_capacity(json.len());
    at(json, (marker, DEPTH_MAX), &mut String::new(), &mut written, replace)?;
    Ok(written)
}

fn at(
    json: &str,
    (marker, deeper): (&str, u32),
    place: &mut String,
    written: &mut String,
    replace: &mut dyn FnMut(&str, &RawValue) -> Result<String, ErasureError>,
) -> Result<(), ErasureError> {
    let json = json.trim_ascii();
    if !json.contains(marker) {
        written.push_str(json);
        return Ok(());
    }
    let deeper = deeper.checked_sub(1).ok_or(ErasureError::Data { reason: "it is nested more than 128 deep" })?;
    let not_json = |_| ErasureError::Data { reason: "it is not JSON" };
    let depth = place.len();
    if json.starts_with('{') {
        let Members(members) = serde_json::from_str(json).map_err(not_json)?;
        if let [(name, value)] = &members[..]
            && name == marker
        {
            written.push_str(&replace(place, value)?);
            return Ok(());
        }
        for (number, (name, value)) in members.iter().enumerate() {
            written.push(if number == 0 { '{' } else { ',' });
            written.push_str(&serde_json::to_string(name).map_err(not_json)?);
            written.push(':');
            place.push('/');
            place.push_str(&name.replace('~', "~0").replace('/', "~1"));
            at(value.get(), (marker, deeper), place, written, replace)?;
            place.truncate(depth);
        }
        written.push('}');
    } else if json.starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(json).map_err(not_json)?;
        for (number, value) in values.iter().enumerate() {
            written.push(if number == 0 { '[' } else { ',' });
            place.push_str(&format!("/{number}"));
            at(value.get(), (marker, deeper), place, written, replace)?;
            place.truncate(depth);
        }
        written.push(']');
    } else {
        written.push_str(json);
    }
    Ok(())
}

/// Whether data holds a personal value that was not sealed: it must not be stored. Inside a JSON string the marker's
/// quotes would be escaped.
pub(crate) fn holds_unsealed(data: &[u8]) -> bool {
    let name = br#""$personal""#;
    data.windows(name.len()).enumerate().any(|(start, window)| {
        window == name
            && data.get(..start).is_some_and(|before| before.trim_ascii_end().ends_with(b"{"))
            && data.get(start + name.len()..).is_some_and(|after| after.trim_ascii_start().starts_with(b":"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(json: &str) -> (String, Vec<String>) {
        let mut seen = Vec::new();
        let replaced = rewrite(json, PERSONAL, &mut |place, value| {
            seen.push(format!("{place} {}", value.get()));
            Ok("null".into())
        });
        (replaced.unwrap(), seen)
    }

    #[test]
    fn markers_are_replaced_where_they_stand_and_all_else_stays() {
        let json = r#"{"a": 1.10, "n":1234567890123456789012345678901234567890, "b":[0, {"$personal":1}],
            "c/d":{"~":{"$personal": {"x":2}}, "$personal":3}, "t":"\"$personal\": \u00e9"}"#;
        let (text, seen) = rewritten(json);
        let expected = r#"{"a":1.10,"n":1234567890123456789012345678901234567890,"b":[0,null],"c/d":{"~":null,"$personal":3},"t":"\"$personal\": \u00e9"}"#;
        assert_eq!(text, expected);
        assert_eq!(seen, ["/b/1 1", r#"/c~1d/~0 {"x":2}"#]);
        assert_eq!(rewritten(r#"{"$personal":7}"#).1, [" 7"]);
    }

    #[test]
    fn only_a_marker_counts_as_unsealed() {
        assert!(holds_unsealed(br#"{"a":{"$personal":{"subject":"x","value":1}}}"#));
        assert!(holds_unsealed(br#"{ "$personal" : 1 }"#));
        assert!(!holds_unsealed(br#"{"a":"{\"$personal\":1}"}"#));
        assert!(!holds_unsealed(br#"{"a":"$personal"}"#));
        assert!(!holds_unsealed(br#"{"$sealed":{}}"#));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_it_writes_is_json_still(text: String, depth in 0_usize..300) {
            let mut replace = |_: &str, _: &RawValue| Ok("null".to_owned());
            let _ = rewrite(&format!("{{\"$personal\"{text}"), PERSONAL, &mut replace);
            let nested = format!("{}{{\"$personal\":1}}{}", "[".repeat(depth), "]".repeat(depth));
            if let Ok(written) = rewrite(&nested, PERSONAL, &mut replace) {
                proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
            }
            let _ = holds_unsealed(text.as_bytes());
        }
    }
}
