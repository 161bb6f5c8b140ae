//! Reading the text format strictly: a line that is not of it fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// Every sample by its name with its labels, as written.
pub(crate) struct Samples {
    values: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Samples {
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut samples = Self { values: BTreeMap::new(), kinds: BTreeMap::new() };
        let (mut helped, mut current) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, meaning) = rest.split_once(' ').unwrap();
                assert!(!meaning.is_empty() && helped.insert(name.to_owned()), "{line}");
                current = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(name == current && matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert!(samples.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                samples.take(line, &current);
            }
        }
        samples
    }

    fn take(&mut self, line: &str, current: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"].map(|end| format!("{current}{end}"));
        match self.kinds[current].as_str() {
            "histogram" => assert!(of_histogram.iter().any(|known| known == name), "{line}"),
            _ => assert_eq!(name, current, "{line}"),
        }
        assert!(name.starts_with("atalaya_gateway_"), "{line}");
        for label in labels(series) {
            assert!(matches!(label.0.as_str(), "database" | "user" | "le"), "{line}");
        }
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        assert!(self.values.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }

    pub(crate) fn get(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("no {series}"))
    }

    pub(crate) fn has(&self, series: &str) -> bool {
        self.values.contains_key(series)
    }

    /// Names of all metrics of a kind.
    pub(crate) fn names_of(&self, kind: &str) -> Vec<&str> {
        self.kinds.iter().filter(|(_, known)| *known == kind).map(|(name, _)| name.as_str()).collect()
    }

    /// A histogram's upper ends with what lies below each, in the order of the ends.
    pub(crate) fn buckets(&self, name: &str, database: &str) -> Vec<(f64, f64)> {
        let start = format!("{name}_bucket{{database=\"{database}\",");
        let of_it = self.values.iter().filter(|(series, _)| series.starts_with(&start));
        let mut buckets: Vec<(f64, f64)> = of_it
            .map(|(series, value)| {
                let end = labels(series).into_iter().find(|(name, _)| name == "le").unwrap().1;
                (if end == "+Inf" { f64::INFINITY } else { end.parse().unwrap() }, *value)
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        buckets
    }
}

/// Names and values between the braces.
fn labels(series: &str) -> Vec<(String, String)> {
    let Some((_, inside)) = series.split_once('{') else { return Vec::new() };
    let inside = inside.strip_suffix('}').unwrap();
    let mut labels = Vec::new();
    let mut rest = inside;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next().unwrap() {
                (end, '"') => break end + 1,
                (_, '\\') => match letters.next().unwrap().1 {
                    'n' => value.push('\n'),
                    escaped @ ('"' | '\\') => value.push(escaped),
                    other => panic!("\\{other} in {series}"),
                },
                (_, letter) => value.push(letter),
            }
        };
        labels.push((name.to_owned(), value));
        rest = after[end..].strip_prefix(',').unwrap_or(&after[end..]);
    }
    labels
}
