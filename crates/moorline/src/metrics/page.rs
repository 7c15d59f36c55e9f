//! A page of metrics: Prometheus' text format 0.0.4.

use std::fmt::Write as _;

use moorline_driver::HistogramView;

use super::catalogue::{Kind, Metric};

/// A page that is being written. Each metric is put once, with all its series.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

/// The value of a series.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// A count.
    Whole(u64),
    /// Seconds, mostly.
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
        }
    }
}

impl Page {
    /// The media type.
    pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// One metric: its series, each with the values of its labels. A metric without series is left out.
    pub(crate) fn put<'a, N: Into<Number>>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = (&'a [&'a str], N)>,
    ) {
        debug_assert_ne!(metric.kind, Kind::Histogram, "{}", metric.name);
        let mut head = false;
        for (labels, value) in series {
            self.head(metric, &mut head);
            self.sample(metric.name, "", metric.labels, labels, None, value.into());
        }
    }

    /// One metric without labels.
    pub(crate) fn one(&mut self, metric: &Metric, value: impl Into<Number>) {
        self.put(metric, [(&[][..], value)]);
    }

    /// One metric of durations.
    pub(crate) fn durations<'a>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = (&'a [&'a str], HistogramView)>,
    ) {
        debug_assert_eq!(metric.kind, Kind::Histogram, "{}", metric.name);
        let mut head = false;
        for (labels, view) in series {
            self.head(metric, &mut head);
            for (bound, count) in &view.cumulative {
                let le = bound.as_secs_f64().to_string();
                let count = Number::Whole(*count);
                self.sample(metric.name, "_bucket", metric.labels, labels, Some(&le), count);
            }
            let count = Number::Whole(view.count);
            self.sample(metric.name, "_bucket", metric.labels, labels, Some("+Inf"), count);
            let sum = Number::Real(view.sum.as_secs_f64());
            self.sample(metric.name, "_sum", metric.labels, labels, None, sum);
            self.sample(metric.name, "_count", metric.labels, labels, None, count);
        }
    }

    /// The whole page.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, metric: &Metric, written: &mut bool) {
        if !std::mem::replace(written, true) {
            let Metric { name, kind, help, .. } = metric;
            // Writing into a text does not fail.
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        }
    }

    fn sample(
        &mut self,
        name: &str,
        suffix: &str,
        names: &[&str],
        values: &[&str],
        le: Option<&str>,
        number: Number,
    ) {
        debug_assert_eq!(names.len(), values.len(), "{name}");
        self.text += name;
        self.text += suffix;
        let labels = names.iter().copied().zip(values.iter().copied());
        let labels = labels.chain(le.map(|le| ("le", le)));
        for (at, (label, value)) in labels.enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text += label;
            self.text += "=\"";
            escape(&mut self.text, value);
            self.text.push('"');
        }
        if !names.is_empty() || le.is_some() {
            self.text.push('}');
        }
        // Writing into a text does not fail.
        let _ = writeln!(self.text, " {number}");
    }
}

/// The value of a label: words of others must not end it.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => *text += "\\\\",
            '"' => *text += "\\\"",
            '\n' => *text += "\\n",
            c => text.push(c),
        }
    }
}
