//! The picture as an SVG, for documents: still, and no larger than it has to be.

use std::fmt::Write as _;

use super::html::escape;
use super::{Fate, SpanKind, Timeline};
use crate::report::seconds;

const LEFT: u64 = 90;
const WIDE: u64 = 1_000;
const TOP: u64 = 40;
const LANE: u64 = 44;
/// More arrows than these are a grey area: the routine ones go first, then all beyond it.
const ARROWS_MAX: usize = 2_000;

/// The colour of a span.
const fn color(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Active => "#16a34a",
        SpanKind::Registered => "#0ea5e9",
        SpanKind::Connecting => "#eab308",
        SpanKind::Disconnected => "#f97316",
        SpanKind::Failed => "#b91c1c",
        SpanKind::Shutdown => "#64748b",
        SpanKind::Up => "#4f8cc9",
        SpanKind::Frozen => "#a78bfa",
        SpanKind::Gone => "#374151",
    }
}

/// The colour of an arrow.
const fn color_of_fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Delivered => "#3b82f6",
        Fate::Late => "#d97706",
        Fate::Lost => "#dc2626",
        Fate::Open => "#9ca3af",
    }
}

/// What the legend says of a span.
const fn says(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Active => "active",
        SpanKind::Registered => "registered",
        SpanKind::Connecting => "connecting",
        SpanKind::Disconnected => "disconnected",
        SpanKind::Failed => "failed",
        SpanKind::Shutdown => "shut down",
        SpanKind::Up => "runs",
        SpanKind::Frozen => "frozen",
        SpanKind::Gone => "no process",
    }
}

impl Timeline {
    /// The picture as one SVG element, 1,100 wide; what it shows is cut to `from..=to`.
    #[must_use]
    pub fn svg(&self, from: u64, to: u64) -> String {
        let window = Window { from, to: to.max(from + 1) };
        let mut svg = Svg { text: String::new(), window };
        svg.begin(self);
        svg.bands(self);
        svg.spans(self);
        svg.arrows(self);
        svg.pin(self);
        svg.legend(self);
        svg.text.push_str("</svg>\n");
        svg.text
    }
}

struct Svg {
    text: String,
    window: Window,
}

/// The time that is shown.
#[derive(Clone, Copy)]
struct Window {
    from: u64,
    to: u64,
}

impl Window {
    /// The place of an instant, within the picture.
    fn x(self, at: u64) -> u64 {
        let at = at.clamp(self.from, self.to) - self.from;
        let wide = u128::from(at) * u128::from(WIDE) / u128::from(self.to - self.from);
        LEFT + u64::try_from(wide).unwrap_or(WIDE)
    }

    const fn shows(self, from: u64, to: u64) -> bool {
        from <= self.to && to >= self.from
    }
}

/// The middle of a lane.
const fn y(lane: usize) -> u64 {
    TOP + lane as u64 * LANE + 14
}

impl Svg {
    /// Adds an element.
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string never fails.
        let _ = self.text.write_fmt(element);
        self.text.push('\n');
    }

    fn begin(&mut self, timeline: &Timeline) {
        let window = self.window;
        let (wide, high) = (LEFT + WIDE + 10, y(timeline.lanes.len()) + 20);
        self.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" role=\"img\" \
             font-family=\"system-ui,sans-serif\" font-size=\"12\">"
        ));
        self.add(format_args!("<title>{}</title>", escape(&timeline.title)));
        self.add(format_args!("<rect width=\"{wide}\" height=\"{high}\" fill=\"#ffffff\"/>"));
        // About eight lines, at round times.
        let step = (1..=13)
            .flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)))
            .find(|step| (window.to - window.from) / step <= 8)
            .unwrap_or(u64::MAX);
        let first = window.from.div_ceil(step);
        for at in (first..).map(|k| k * step).take_while(|at| *at <= window.to) {
            let (x, bottom) = (window.x(at), high - 26);
            self.add(format_args!(
                "<path d=\"M{x} {TOP}V{bottom}\" stroke=\"#e3e6ea\"/>\
                 <text x=\"{x}\" y=\"20\" fill=\"#6b7280\" text-anchor=\"middle\">{}</text>",
                short(at)
            ));
        }
        for (index, lane) in timeline.lanes.iter().enumerate() {
            self.add(format_args!(
                "<text x=\"6\" y=\"{}\" fill=\"#1c2024\">{}</text>",
                y(index) + 4,
                escape(&lane.name)
            ));
        }
    }

    fn bands(&mut self, timeline: &Timeline) {
        let window = self.window;
        for band in timeline.bands.iter().filter(|band| window.shows(band.from, band.to)) {
            let (from, to) = (window.x(band.from), window.x(band.to));
            let wide = (to - from).max(2);
            for lane in &band.lanes {
                self.add(format_args!(
                    "<rect x=\"{from}\" y=\"{}\" width=\"{wide}\" height=\"36\" fill=\"#fde9cf\">\
                     <title>{}</title></rect>",
                    y(*lane) - 16,
                    escape(&band.words)
                ));
            }
        }
    }

    fn spans(&mut self, timeline: &Timeline) {
        let window = self.window;
        for span in timeline.spans.iter().filter(|span| window.shows(span.from, span.to)) {
            let (from, to) = (window.x(span.from), window.x(span.to));
            let high = if span.kind == SpanKind::Gone { 2 } else { 8 };
            self.add(format_args!(
                "<rect x=\"{from}\" y=\"{}\" width=\"{}\" height=\"{high}\" fill=\"{}\"/>",
                y(span.lane) - high / 2,
                (to - from).max(1),
                color(span.kind)
            ));
        }
        for bar in timeline.bars.iter().filter(|bar| window.shows(bar.from, bar.to)) {
            let (from, to) = (window.x(bar.from), window.x(bar.to));
            let row = bar.row.min(3) as u64;
            self.add(format_args!(
                "<rect x=\"{from}\" y=\"{}\" width=\"{}\" height=\"3\" fill=\"hsl({} 55% 50%)\">\
                 <title>t{}, attempt {}</title></rect>",
                y(bar.lane) + 7 + row * 4,
                (to - from).max(1),
                u64::from(bar.task) * 137 % 360,
                bar.task,
                bar.attempt
            ));
        }
    }

    fn arrows(&mut self, timeline: &Timeline) {
        let window = self.window;
        let shown = timeline.arrows.iter().filter(|arrow| window.shows(arrow.sent, arrow.ended));
        let mut arrows: Vec<_> = shown.collect();
        if arrows.len() > ARROWS_MAX {
            arrows.retain(|arrow| !arrow.routine || arrow.fate == Fate::Lost);
        }
        for arrow in arrows.into_iter().take(ARROWS_MAX) {
            let (x1, x2) = (window.x(arrow.sent), window.x(arrow.ended));
            let (y1, y2) = (y(arrow.from), y(arrow.to));
            let dashes = if arrow.fate == Fate::Open { " stroke-dasharray=\"3 3\"" } else { "" };
            let faint = if arrow.routine { " opacity=\".4\"" } else { "" };
            let color = color_of_fate(arrow.fate);
            self.add(format_args!(
                "<path d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"{color}\"{dashes}{faint}>\
                 <title>{}</title></path>",
                arrow.says.join(", ")
            ));
            if arrow.fate == Fate::Lost {
                self.add(format_args!(
                    "<path d=\"M{} {}l6 6m0 -6l-6 6\" stroke=\"{color}\"/>",
                    x2.saturating_sub(3),
                    y2 - 3
                ));
            } else if arrow.fate != Fate::Open {
                self.add(format_args!(
                    "<circle cx=\"{x2}\" cy=\"{y2}\" r=\"2\" fill=\"{color}\"/>"
                ));
            }
        }
    }

    fn pin(&mut self, timeline: &Timeline) {
        let window = self.window;
        let Some(pin) = timeline.pin.as_ref().filter(|pin| window.shows(pin.at, pin.at)) else {
            return;
        };
        let (x, bottom) = (window.x(pin.at), y(timeline.lanes.len()) - 8);
        self.add(format_args!(
            "<path d=\"M{x} {TOP}V{bottom}\" stroke=\"#dc2626\" stroke-width=\"2\">\
             <title>{}</title></path>",
            escape(&pin.words)
        ));
    }

    /// What of the colours is there.
    fn legend(&mut self, timeline: &Timeline) {
        let window = self.window;
        let y = y(timeline.lanes.len()) + 6;
        let mut x = LEFT;
        let mut keys = Vec::new();
        for kind in SpanKind::ALL {
            if timeline.spans.iter().any(|s| s.kind == kind && window.shows(s.from, s.to)) {
                keys.push((color(kind), says(kind)));
            }
        }
        let fates = [
            (Fate::Delivered, "arrived"),
            (Fate::Late, "late"),
            (Fate::Lost, "lost"),
            (Fate::Open, "never told"),
        ];
        for (fate, words) in fates {
            if timeline.arrows.iter().any(|a| a.fate == fate && window.shows(a.sent, a.ended)) {
                keys.push((color_of_fate(fate), words));
            }
        }
        for (color, words) in keys {
            self.add(format_args!(
                "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"8\" fill=\"{color}\"/>\
                 <text x=\"{}\" y=\"{}\" fill=\"#6b7280\">{words}</text>",
                y - 8,
                x + 16,
                y
            ));
            x += 36 + 7 * words.len() as u64;
        }
    }
}

/// `12.5 s`: without zeros at the end.
fn short(at: u64) -> String {
    let text = seconds(at);
    let digits = text.trim_end_matches(" s").trim_end_matches('0').trim_end_matches('.');
    format!("{digits} s")
}
