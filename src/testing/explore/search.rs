//! The search: first in, first out, so that the path to what is wrong is as short as any, as long as there is room for
//! what is still to be looked at.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash};

use super::fingerprint::{Fingerprint, Half};

/// So many states that are still to be looked at are kept as a whole, and a few more: as many as there are steps to a last
/// one, times the choices there.
const KEPT: usize = 1 << 19;

/// Something with states and steps between them.
pub(super) trait System {
    type State: Hash;
    type Step: Copy;

    /// All steps that a state allows, in an order that depends on nothing else.
    fn steps(&self, state: &Self::State, into: &mut Vec<Self::Step>);
    /// The state behind a step, or what is wrong with it.
    fn step(&self, state: &Self::State, step: Self::Step) -> Result<Self::State, String>;
    /// What is wrong with a state that allows these steps.
    fn check(&self, state: &Self::State, steps: &[Self::Step]) -> Result<(), String>;
    /// A step in words.
    fn describe(&self, state: &Self::State, step: Self::Step) -> String;
}

/// What an exploration has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many states there are.
    pub states: u64,
    /// How many steps between them.
    pub steps: u64,
    /// How many of the states are ends: nothing more happens.
    pub ends: u64,
    /// The most steps to a state, on the way on which it was found: the shortest one, where few states waited at a time.
    pub depth: u32,
}

/// A way to a state that must not be: a shortest one, where few states waited at a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Counterexample {
    /// What is wrong.
    pub what: String,
    /// What has happened, one step after the other.
    pub path: Vec<String>,
    /// So many states were seen before.
    pub states: u64,
}

impl fmt::Display for Counterexample {
    /// What is wrong, and a line for each step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, after {} steps ({} states were seen before):", self.what, self.path.len(), self.states)?;
        self.path.iter().enumerate().try_for_each(|(at, step)| write!(f, "\n{:4}  {step}", at + 1))
    }
}

struct Search<'s, S: System> {
    system: &'s S,
    seen: HashSet<u128, BuildHasherDefault<Half>>,
    /// From where each state was reached first, and by which of the steps there.
    trail: Vec<(u32, u32)>,
    frontier: VecDeque<(S::State, u32, u32)>,
    explored: Explored,
}

/// Explores everything that can be reached from `start`.
pub(super) fn search<S: System>(system: &S, start: impl Fn() -> S::State) -> Result<Explored, Counterexample> {
    let (seen, trail, frontier) = Default::default();
    let mut search = Search { system, seen, trail, frontier, explored: Explored::default() };
    match search.run(start()) {
        Ok(()) => Ok(search.explored),
        Err((what, steps)) => {
            let path = search.path(start(), &steps);
            Err(Counterexample { what, path, states: search.explored.states })
        }
    }
}

impl<S: System> Search<'_, S> {
    fn run(&mut self, start: S::State) -> Result<(), (String, Vec<u32>)> {
        let mut steps = Vec::new();
        self.found(start, (0, 0), 0);
        while let Some((state, at, depth)) = self.next() {
            steps.clear();
            self.system.steps(&state, &mut steps);
            self.explored.ends += u64::from(steps.is_empty());
            self.explored.depth = self.explored.depth.max(depth);
            self.system.check(&state, &steps).map_err(|what| (what, self.way_to(at)))?;
            for (number, step) in (0..).zip(&steps) {
                self.explored.steps += 1;
                let next = self.system.step(&state, *step);
                let next = next.map_err(|what| (what, [self.way_to(at), vec![number]].concat()))?;
                self.found(next, (at, number), depth + 1);
            }
        }
        Ok(())
    }

    /// The state that was found first, as long as there is room for those that are found meanwhile; else the last one,
    /// behind which there are few.
    fn next(&mut self) -> Option<(S::State, u32, u32)> {
        if self.frontier.len() < KEPT { self.frontier.pop_front() } else { self.frontier.pop_back() }
    }

    fn found(&mut self, state: S::State, from: (u32, u32), depth: u32) {
        if self.seen.insert(Fingerprint::of(&state)) {
            self.explored.states += 1;
            let at = self.trail.len() as u32;
            self.trail.push(from);
            self.frontier.push_back((state, at, depth));
        }
    }

    fn way_to(&self, mut at: u32) -> Vec<u32> {
        let mut way = Vec::new();
        while at > 0 {
            let (from, number) = self.trail[at as usize];
            way.push(number);
            at = from;
        }
        way.reverse();
        way
    }

    fn path(&self, mut state: S::State, numbers: &[u32]) -> Vec<String> {
        let (mut path, mut steps) = (Vec::new(), Vec::new());
        for number in numbers {
            steps.clear();
            self.system.steps(&state, &mut steps);
            let Some(step) = steps.get(*number as usize) else { break };
            path.push(self.system.describe(&state, *step));
            match self.system.step(&state, *step) {
                Ok(next) => state = next,
                Err(_) => break,
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A knight on a board; it must not reach one of the squares.
    struct Knight {
        forbidden: (i8, i8),
    }

    impl System for Knight {
        type State = (i8, i8);
        type Step = (i8, i8);

        fn steps(&self, (x, y): &(i8, i8), into: &mut Vec<(i8, i8)>) {
            let jumps = [(1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2)];
            into.extend(jumps.iter().filter(|(a, b)| (0..8).contains(&(x + a)) && (0..8).contains(&(y + b))));
        }

        fn step(&self, (x, y): &(i8, i8), (a, b): (i8, i8)) -> Result<(i8, i8), String> {
            Ok((x + a, y + b))
        }

        fn check(&self, state: &(i8, i8), _: &[(i8, i8)]) -> Result<(), String> {
            if *state == self.forbidden { Err("forbidden".to_owned()) } else { Ok(()) }
        }

        fn describe(&self, _: &(i8, i8), step: (i8, i8)) -> String {
            format!("{step:?}")
        }
    }

    #[test]
    fn it_sees_all_states_and_all_steps() {
        let explored = search(&Knight { forbidden: (-1, -1) }, || (0, 0));
        assert_eq!(explored, Ok(Explored { states: 64, steps: 336, ends: 0, depth: 6 }));
    }

    #[test]
    fn what_is_wrong_is_found_on_a_shortest_way() {
        let error = search(&Knight { forbidden: (7, 7) }, || (0, 0)).expect_err("it can get there");
        assert_eq!((error.what.as_str(), error.path.len()), ("forbidden", 6));
    }
}
