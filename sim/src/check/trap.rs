//! From which states some work can never be done any more.
//!
//! A state is no trap if a state in which all is done can be reached from it without anything going
//! wrong. That is asked backwards, from the states in which all is done, over the steps that were taken:
//! sound also where steps lead in circles, and a way out of a circle is all it takes.

/// The steps in which nothing goes wrong.
#[derive(Debug, Default)]
pub(super) struct Edges(Vec<(u32, u32)>);

impl Edges {
    pub(super) fn add(&mut self, from: u32, to: u32) {
        if from != to {
            self.0.push((from, to));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        // The way back takes as much again.
        self.0.capacity() * size_of::<(u32, u32)>() * 3 / 2
    }

    /// The first of so many states from which none of `done` can be reached.
    pub(super) fn first_that_cannot_reach(self, states: u64, done: &[u32]) -> Option<u32> {
        let states = usize::try_from(states).ok()?;
        // Where the steps that lead to each state begin, in one flat list.
        let mut begins = vec![0_u32; states + 1];
        for (_, to) in &self.0 {
            begins[*to as usize + 1] += 1;
        }
        for state in 0..states {
            begins[state + 1] += begins[state];
        }
        let mut sources = vec![0_u32; self.0.len()];
        let mut filled = begins.clone();
        for (from, to) in self.0 {
            let place = &mut filled[to as usize];
            sources[*place as usize] = from;
            *place += 1;
        }
        let mut is_safe = vec![false; states];
        let mut waiting: Vec<u32> = done.to_vec();
        done.iter().for_each(|state| is_safe[*state as usize] = true);
        while let Some(state) = waiting.pop() {
            let (from, to) = (begins[state as usize], begins[state as usize + 1]);
            for source in &sources[from as usize..to as usize] {
                if !std::mem::replace(&mut is_safe[*source as usize], true) {
                    waiting.push(*source);
                }
            }
        }
        // They were numbered as they were reached: the first is one of the nearest.
        let trap = is_safe.iter().position(|is_safe| !is_safe)?;
        u32::try_from(trap).ok()
    }
}
