//! Prometheus' text format, read by its specification alone and not by the monitor's code. All our values are whole.

use std::collections::BTreeMap;

/// All samples of a text, each as name and labels in the text's own words.
pub struct Metrics {
    samples: BTreeMap<String, u64>,
    kinds: BTreeMap<String, String>,
}

impl Metrics {
    /// Fails on a line that is no sample, a sample that comes twice, and one without a HELP and a TYPE before it.
    pub fn parse(text: &str) -> Self {
        let (mut samples, mut kinds, mut helped) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        assert!(text.ends_with('\n'), "the last line has no end: {text}");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').unwrap();
                assert!(!words.is_empty(), "{line}");
                helped.push(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(matches!(kind, "gauge" | "counter"), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two types");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(helped.iter().any(|known| known == name) && kinds.contains_key(name), "{line}");
                let is_new = samples.insert(series.to_owned(), value.parse().unwrap()).is_none();
                assert!(is_new, "{series} comes twice");
            }
        }
        Self { samples, kinds }
    }

    /// Every metric that is announced, whether or not there is a sample of it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    pub fn samples(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(String::as_str)
    }

    pub fn value(&self, series: &str) -> Option<u64> {
        self.samples.get(series).copied()
    }
}
