//! All mutants of a file side by side: each wrong line stands beside the right one, and a program is told
//! as it starts which of them is meant. So one build serves all of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::mutant::{Genre, Mutant, offset};

type Error = Box<dyn std::error::Error>;

/// Names the variable that says which mutant is meant, by its number; none if it is not set.
pub(super) const VARIABLE: &str = "MOORLINE_MUTANT";

/// The features that [`MODULE`] needs, in front of a library.
pub(super) const FEATURES: &str =
    "#![feature(core_intrinsics, const_eval_select)] #![allow(internal_features)] ";

/// What the switches call, at the end of a library. It can be asked in a constant function too: while
/// a constant is made nothing is wrong, so such a mutant may be missed here that is caught alone.
pub(super) const MODULE: &str = r#"
#[doc(hidden)]
pub mod wrong {
    extern crate std;
    use core::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: AtomicU32 = AtomicU32::new(u32::MAX);

    #[inline(always)]
    pub const fn is(number: u32) -> bool {
        core::intrinsics::const_eval_select((number,), never, now)
    }

    const fn never(_: u32) -> bool {
        false
    }

    #[inline(always)]
    fn now(number: u32) -> bool {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        number == if chosen == u32::MAX { first() } else { chosen }
    }

    #[cold]
    fn first() -> u32 {
        let text = std::env::var("MOORLINE_MUTANT").unwrap_or_default();
        let chosen = text.parse().unwrap_or(0);
        CHOSEN.store(chosen, Ordering::Relaxed);
        chosen
    }
}
"#;

/// A file with its switches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Switched {
    pub(super) text: String,
    /// Where the wrong lines are, and their numbers.
    pub(super) wrong: Vec<(Range<usize>, usize)>,
    /// Where the switches are, with what they choose from, and the numbers of that.
    pub(super) switches: Vec<(Range<usize>, Vec<usize>)>,
    /// Numbers of those in constant functions.
    pub(super) constant: Vec<usize>,
}

/// Where a switch goes: from, to, and whether it stands for an expression (or is the first statement of a
/// function). What begins first and ends last is outermost.
type Place = (usize, Reverse<usize>, bool);

/// What a switch chooses from: numbers, mutants, and which bytes of the file those replace.
type Choices<'a> = Vec<(usize, &'a Mutant, Range<usize>)>;

/// Puts switches into a file. A mutant that cannot be one of them is left out.
pub(super) fn switched(source: &str, mutants: &[(usize, &Mutant)]) -> Result<Switched, Error> {
    let mut finder = Finder { source, found: BTreeMap::new(), constant: Vec::new() };
    finder.visit_file(&syn::parse_file(source)?);
    let mut places = BTreeMap::<Place, Choices<'_>>::new();
    let mut constant = Vec::new();
    for (number, mutant) in mutants {
        let own = mutant.place(source)?;
        let place = match mutant.genre {
            Genre::Body => Some((own.start, Reverse(own.end), false)),
            Genre::Guard => Some((own.start, Reverse(own.end), true)),
            Genre::Operator | Genre::Field => {
                let found = finder.found.get(&(mutant.genre, own.start));
                found.map(|of| (of.start, Reverse(of.end), true))
            }
            Genre::Other => None,
        };
        // What is in no function is made when it is compiled.
        if let Some(place) = place.filter(|_| mutant.is_in_function) {
            if finder.constant.iter().any(|function| function.contains(&own.start)) {
                constant.push(*number);
            }
            places.entry(place).or_default().push((*number, mutant, own));
        }
    }
    Ok(Switched { constant, ..written(source, &places) })
}

fn written(source: &str, places: &BTreeMap<Place, Choices<'_>>) -> Switched {
    let mut switched = Switched::default();
    // Switches that are not closed yet: where in the source they end, where in the text they begin.
    let mut open = Vec::<(usize, usize, Vec<usize>)>::new();
    let mut at = 0;
    let close = |switched: &mut Switched, at: &mut usize, (end, begin, numbers)| {
        switched.text.push_str(&source[*at..end]);
        *at = end;
        switched.text.push_str("})");
        switched.switches.push((begin..switched.text.len(), numbers));
    };
    for ((start, Reverse(end), is_expression), mutants) in places {
        while let Some(innermost) = open.pop_if(|(end, _, _)| *end <= *start) {
            close(&mut switched, &mut at, innermost);
        }
        switched.text.push_str(&source[at..*start]);
        at = *start;
        let begin = switched.text.len();
        if *is_expression {
            switched.text.push('(');
        }
        for (number, mutant, own) in mutants {
            switched.text.push_str(&format!("if crate::wrong::is({number}) {{"));
            let from = switched.text.len();
            let wrong = if *is_expression {
                [&source[*start..own.start], &mutant.replacement, &source[own.end..*end]].concat()
            } else {
                format!("return {};", mutant.replacement)
            };
            switched.text.push_str(&wrong);
            switched.wrong.push((from..switched.text.len(), *number));
            switched.text.push_str(if *is_expression { "} else " } else { "} " });
        }
        if *is_expression {
            switched.text.push('{');
            open.push((*end, begin, mutants.iter().map(|(number, _, _)| *number).collect()));
        }
    }
    while let Some(innermost) = open.pop() {
        close(&mut switched, &mut at, innermost);
    }
    switched.text.push_str(&source[at..]);
    switched
}

/// Finds the expressions that mutants are about, by where the mutant begins.
struct Finder<'a> {
    source: &'a str,
    found: BTreeMap<(Genre, usize), Range<usize>>,
    /// Constant functions.
    constant: Vec<Range<usize>>,
}

impl Finder<'_> {
    fn offset(&self, place: proc_macro2::LineColumn) -> Option<usize> {
        offset(self.source, (place.line, place.column + 1))
    }

    fn range(&self, span: proc_macro2::Span) -> Option<Range<usize>> {
        let ends = self.offset(span.start()).zip(self.offset(span.end()));
        ends.map(|(start, end)| start..end)
    }

    fn find(&mut self, genre: Genre, begins: proc_macro2::Span, whole: proc_macro2::Span) {
        if let Some((begins, whole)) = self.offset(begins.start()).zip(self.range(whole)) {
            self.found.insert((genre, begins), whole);
        }
    }

    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        if signature.constness.is_some() {
            self.constant.extend(self.range(body.span()));
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.function(&node.sig, &node.block);
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.function(&node.sig, &node.block);
        visit::visit_impl_item_fn(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        if !binds(&node.left) && !binds(&node.right) {
            self.find(Genre::Operator, node.op.span(), node.span());
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        self.find(Genre::Operator, node.op.span(), node.span());
        visit::visit_expr_unary(self, node);
    }

    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        for field in &node.fields {
            self.find(Genre::Field, field.span(), node.span());
        }
        visit::visit_expr_struct(self, node);
    }
}

/// Whether it is part of a chain with `let`, which is no expression of its own.
fn binds(expression: &syn::Expr) -> bool {
    if let syn::Expr::Binary(node) = expression {
        return binds(&node.left) || binds(&node.right);
    }
    matches!(expression, syn::Expr::Let(_))
}

#[cfg(test)]
mod tests;
