//! The search itself, some steps at a time.
//!
//! Where nothing matches, `memmem` leaps to the next match, many characters at once; near matches, and from one block of
//! the text to the next, the automaton of Knuth, Morris and Pratt goes on. Both are linear.

use std::mem;

use memchr::memmem::Finder;

use super::blocks::Blocks;
use super::chars::Chars;
use super::search::{Line, MAX_CHARS, PART_POSITIONS, Piece, Positions, STEPS_PER_TURN, check_chars, check_not_empty};
use super::{Progress, RequestError};

/// The longest pattern that is sought by `memmem`: it must be in one block, and is looked at anew in each turn.
const QUICK_PATTERN_CHARS: usize = 1024;

/// So many characters that are leapt over take as long as one that is compared.
const STEPS_OF_A_LEAP: usize = 8;

/// Behind a match there may soon be the next one, for which `memmem` is too much: so many characters are compared first.
const NEAR_CHARS: usize = 64;

/// How many blocks of up to 2 MiB one call frees at most.
const BLOCKS_PER_TURN: usize = 4;

/// A request under way: the automaton of Knuth, Morris and Pratt, advanced some steps at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    text: Chars,
    pattern: Chars,
    /// For each length of a matched beginning, less one: the longest shorter beginning that ends it.
    borders: Blocks<u32>,
    phase: Phase,
    /// The place in the pattern (while its borders are sought) or in the text that is looked at next.
    next: usize,
    /// How many characters of the pattern match before `next`.
    matched: usize,
    /// Where in the text the last match, or what could have become one, is far enough away to leap.
    leap_from: usize,
    found: Vec<u64>,
    found_any: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Reading,
    Borders,
    Scan,
    Free,
}

impl Job {
    pub(super) fn add(&mut self, piece: &Piece) -> Result<(), RequestError> {
        let (held, line) = match piece {
            Piece::Text(_) if self.pattern.len() == 0 => (&mut self.text, Line::Text),
            Piece::Text(_) => return Err(RequestError::new("the text must come before the pattern")),
            Piece::Pattern(_) => (&mut self.pattern, Line::Pattern),
        };
        if held.len() + piece.bytes().len() > MAX_CHARS {
            return Err(line.too_long());
        }
        check_chars(piece.bytes(), held.len(), line)?;
        held.extend(piece.bytes());
        Ok(())
    }

    pub(super) fn advance(&mut self, outputs: &mut Vec<Positions>) -> Result<Progress, RequestError> {
        match self.phase {
            Phase::Reading => self.start()?,
            Phase::Borders => self.seek_borders(),
            Phase::Scan => self.scan(outputs),
            Phase::Free => return Ok(self.free()),
        }
        Ok(Progress::More)
    }

    fn start(&mut self) -> Result<(), RequestError> {
        check_not_empty(self.text.len(), Line::Text)?;
        check_not_empty(self.pattern.len(), Line::Pattern)?;
        self.borders.extend(&[0]);
        (self.phase, self.next) = (Phase::Borders, 1);
        // A short pattern needs no turn of its own.
        if self.pattern.len() <= STEPS_PER_TURN / 2 {
            self.seek_borders();
        }
        Ok(())
    }

    /// The pattern is matched against itself. Each step moves on, or falls back to a shorter beginning, which it can
    /// do no more often than it moved on.
    fn seek_borders(&mut self) {
        for _ in 0..STEPS_PER_TURN {
            if self.next == self.pattern.len() {
                (self.phase, self.next, self.matched) = (Phase::Scan, 0, 0);
                return;
            }
            let matches = self.pattern.at(self.next) == self.pattern.at(self.matched);
            if !matches && self.matched > 0 {
                self.matched = self.borders.at(self.matched - 1) as usize;
                continue;
            }
            self.matched += usize::from(matches);
            self.borders.extend(&[self.matched as u32]);
            self.next += 1;
        }
    }

    fn scan(&mut self, outputs: &mut Vec<Positions>) {
        let is_short = self.pattern.len() <= QUICK_PATTERN_CHARS;
        let finder = is_short.then(|| Finder::new(self.pattern.run(0)).into_owned());
        let mut steps = STEPS_PER_TURN;
        while steps > 0 && self.found.len() < PART_POSITIONS {
            if self.next == self.text.len() {
                self.hand_out(outputs);
                if !self.found_any {
                    outputs.push(Positions::Nowhere);
                }
                self.phase = Phase::Free;
                return;
            }
            if let Some(finder) = finder.as_ref().filter(|_| self.matched == 0 && self.next >= self.leap_from) {
                steps = steps.saturating_sub(self.leap(finder));
            }
            steps = self.scan_run(steps, finder.is_some());
        }
        if self.found.len() == PART_POSITIONS {
            self.hand_out(outputs);
        }
    }

    /// Where nothing matches: goes to the next match in this block of the text, or to where one may begin that ends in
    /// the next block. Says what that has cost, in steps.
    fn leap(&mut self, finder: &Finder) -> usize {
        let (run, whole) = (self.text.run(self.next), self.pattern.len());
        let far = finder.find(run).unwrap_or_else(|| (run.len() + 1).saturating_sub(whole));
        self.next += far;
        self.leap_from = self.next + whole + NEAR_CHARS;
        far / STEPS_OF_A_LEAP
    }

    /// Scans to the end of a block of the text, of the steps, to the next place found, or to where a leap is better; says
    /// how many steps are left.
    fn scan_run(&mut self, mut steps: usize, may_leap: bool) -> usize {
        let (pattern, borders) = (&self.pattern, &self.borders);
        let (first, whole) = (pattern.at(0), pattern.len());
        let run = self.text.run(self.next);
        let (mut at, mut matched) = (0, self.matched);
        while at < run.len() && steps > 0 {
            steps -= 1;
            if run[at] == pattern.at(matched) {
                at += 1;
                matched += 1;
                if matched == whole {
                    self.found.push((self.next + at - whole) as u64);
                    matched = borders.at(matched - 1) as usize;
                    break;
                }
            } else if matched > 0 {
                matched = borders.at(matched - 1) as usize;
            } else if may_leap && self.next + at >= self.leap_from {
                break;
            } else {
                // Nothing matches here: leap to the next place where something may.
                at = memchr::memchr(first, &run[at..]).map_or(run.len(), |leap| at + leap);
            }
        }
        self.next += at;
        self.matched = matched;
        steps
    }

    fn hand_out(&mut self, outputs: &mut Vec<Positions>) {
        if !self.found.is_empty() {
            self.found_any = true;
            outputs.push(Positions::At(mem::take(&mut self.found)));
        }
    }

    /// Freeing hundreds of megabytes takes long as well.
    fn free(&mut self) -> Progress {
        for _ in 0..BLOCKS_PER_TURN {
            if !self.text.free_block() && !self.pattern.free_block() && !self.borders.free_block() {
                return Progress::Done;
            }
        }
        Progress::More
    }
}
