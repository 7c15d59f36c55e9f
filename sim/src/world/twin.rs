//! A machine, and sometimes a copy of it that is told the same: both must go on alike.

use std::fmt::Debug;
use std::ops::Deref;

/// A machine. It is changed through [`both`](Self::both) and [`both_with`](Self::both_with) only.
#[derive(Debug)]
pub(super) struct Twinned<N> {
    node: N,
    copy: Option<Box<N>>,
    differs: Option<String>,
}

impl<N> Deref for Twinned<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.node
    }
}

impl<N: Clone + PartialEq> Twinned<N> {
    pub(super) fn new(node: N) -> Self {
        Self { node, copy: None, differs: None }
    }

    /// Does something to the machine, and to its copy if there is one.
    pub(super) fn both<R: PartialEq + Debug>(&mut self, act: impl Fn(&mut N) -> R) -> R {
        let outcome = act(&mut self.node);
        if let Some(copy) = &mut self.copy {
            let other = act(copy);
            if other != outcome && self.differs.is_none() {
                self.differs = Some(format!("{outcome:?}, and its copy {other:?}"));
            }
        }
        outcome
    }

    /// The same with something that is used up.
    pub(super) fn both_with<I: Clone, R: PartialEq + Debug>(
        &mut self,
        input: I,
        act: impl Fn(&mut N, I) -> R,
    ) -> R {
        if self.copy.is_none() {
            return act(&mut self.node, input);
        }
        self.both(|node| act(node, input.clone()))
    }

    /// Does something to the copy alone, if there is one.
    pub(super) fn spoil(&mut self, act: impl FnOnce(&mut N)) {
        if let Some(copy) = &mut self.copy {
            act(copy);
        }
    }

    /// From here on there is a copy.
    pub(super) fn split(&mut self) {
        self.copy = Some(Box::new(self.node.clone()));
    }

    /// There is no copy any more. How it differed, if it did.
    pub(super) fn join(&mut self) -> Option<String> {
        let copy = self.copy.take()?;
        let differs = self.differs.take();
        differs.or_else(|| {
            (*copy != self.node).then(|| String::from("what it is is not what its copy is"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Twinned;

    #[test]
    fn a_copy_that_answers_otherwise_or_is_otherwise_is_told_apart() {
        let mut twins = Twinned::new(vec![1]);
        assert_eq!(twins.join(), None, "there is no copy");
        twins.split();
        assert_eq!(twins.both(Vec::pop), Some(1));
        assert_eq!(twins.join(), None);

        twins.split();
        twins.spoil(|copy| copy.push(2));
        assert!(twins.join().is_some_and(|words| words.contains("what it is")));

        twins.split();
        twins.spoil(|copy| copy.push(3));
        assert_eq!(twins.both(Vec::pop), None);
        assert_eq!(twins.join().as_deref(), Some("None, and its copy Some(3)"));
    }
}
