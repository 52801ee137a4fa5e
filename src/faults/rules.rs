//! What becomes of a frame.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Direction, FaultKind, Spread};
use crate::planted::{Bug, is_planted};
use crate::random::{Random, ln};
use crate::span::Span;
use crate::topology::NodeId;

/// What is overtaken comes so much later, at most.
const OVERTAKEN_NS: u64 = 4_000_000;

/// An exponential delay is at most so many times its mean.
const LONGEST: f64 = 10.0;

/// What becomes of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How often it arrives: 0, 1 or 2 times.
    pub copies: u8,
    /// So much later than without a fault; what is sent behind it waits.
    pub delay_ns: u64,
    /// So much later than what is sent behind it, which does not wait.
    pub overtaken_ns: u64,
    /// It is damaged: whoever reads it closes the link.
    pub is_corrupt: bool,
}

impl Fate {
    /// It arrives as if there were no faults.
    pub const WELL: Self = Self { copies: 1, delay_ns: 0, overtaken_ns: 0, is_corrupt: false };
}

/// The faults of links that are active, and the chance that decides over each frame.
///
/// Each link draws from a generator of its own for each direction: what is sent over one does not change what becomes
/// of frames on another.
///
/// ```
/// use nodetree::faults::{Direction, Fate, FaultKind, Links, Rules};
/// let mut rules = Rules::new(7);
/// assert_eq!(rules.fate(5, Direction::Down), Fate::WELL);
/// rules.start(1, &FaultKind::Cut { links: Links::Above(5), direction: Direction::Down });
/// assert_eq!(rules.fate(5, Direction::Down).copies, 0);
/// assert_eq!(rules.fate(5, Direction::Up), Fate::WELL);
/// rules.heal(1);
/// assert_eq!(rules.fate(5, Direction::Down), Fate::WELL);
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    seed: u64,
    active: BTreeMap<u64, FaultKind>,
    chances: BTreeMap<(NodeId, Direction), Random>,
    spent: BTreeSet<u64>,
}

impl Rules {
    /// No faults; chance is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, active: BTreeMap::new(), chances: BTreeMap::new(), spent: BTreeSet::new() }
    }

    /// A fault with this number begins. What is not about links is not kept.
    pub fn start(&mut self, number: u64, kind: &FaultKind) {
        if kind.links().is_some() {
            self.active.insert(number, kind.clone());
        }
    }

    /// It is over; false when there was none.
    pub fn heal(&mut self, number: u64) -> bool {
        if is_planted(Bug::HealedFaultStays) {
            return self.active.contains_key(&number);
        }
        self.active.remove(&number).is_some()
    }

    /// Whether there are no faults of links at all.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether what is sent over the link above this node, that way, must be repeated until it has arrived.
    pub fn break_the_stream(&self, below: NodeId, way: Direction) -> bool {
        self.on(below, way).any(|(_, kind)| kind.breaks_a_stream())
    }

    fn on(&self, below: NodeId, way: Direction) -> impl Iterator<Item = (&u64, &FaultKind)> {
        let covers = move |direction: Direction| direction.covers(way) || is_planted(Bug::DirectionIgnored);
        let is_meant = move |kind: &FaultKind| {
            kind.links().is_some_and(|(links, direction)| links.are_above(below) && covers(direction))
        };
        self.active.iter().filter(move |(_, kind)| is_meant(kind))
    }

    /// What becomes of the next frame over the link above this node, `Down` or `Up`.
    pub fn fate(&mut self, below: NodeId, way: Direction) -> Fate {
        let mut fate = Fate::WELL;
        if self.active.is_empty() {
            return fate;
        }
        let seed = self.seed;
        let drawn = if is_planted(Bug::ChanceShared) { (0, Direction::Both) } else { (below, way) };
        let mut random = self.chances.remove(&drawn).unwrap_or_else(|| Random::of_link(seed, drawn.0, drawn.1));
        let mut spent = None;
        for (&number, kind) in self.on(below, way) {
            match kind {
                FaultKind::Cut { .. } => fate.copies = 0,
                FaultKind::Drop { chance, .. } if chance.happens(&mut random) => fate.copies = 0,
                FaultKind::Duplicate { chance, .. } if chance.happens(&mut random) => {
                    fate.copies = (2 * fate.copies).min(2);
                }
                FaultKind::Delay { chance, by, .. } if chance.happens(&mut random) => {
                    fate.delay_ns += by.draw(&mut random);
                }
                FaultKind::Reorder { chance, .. } if chance.happens(&mut random) => {
                    fate.overtaken_ns += random.between((1, OVERTAKEN_NS));
                }
                FaultKind::Corrupt { .. } => {
                    fate.is_corrupt = true;
                    spent = Some(number);
                }
                _ => {}
            }
        }
        self.chances.insert(drawn, random);
        if let Some(number) = spent.filter(|_| !is_planted(Bug::DamagedForEver)) {
            self.active.remove(&number);
            self.spent.insert(number);
        }
        fate
    }

    /// The number of a fault that has happened and is over.
    pub fn take_spent(&mut self) -> Option<u64> {
        self.spent.pop_first()
    }
}

impl Random {
    fn of_link(seed: u64, below: NodeId, way: Direction) -> Self {
        // Each step mixes, so that neighbours draw differently.
        let mut random = Self(seed ^ 0x6e6f_6465_7472_6565);
        let mut random = Self(random.next() ^ below.cast_unsigned());
        Self(random.next() ^ way as u64)
    }
}

impl Spread {
    fn draw(self, random: &mut Random) -> u64 {
        match self {
            Self::Exactly(by) => nanos(by),
            Self::Between(shortest, longest) => random.between((nanos(shortest), nanos(longest))),
            Self::Exponential(mean) => {
                let unit = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
                (nanos(mean) as f64 * (-ln(1.0 - unit)).min(LONGEST)) as u64
            }
        }
    }
}

/// Times of faults are at most a day.
fn nanos(span: Span) -> u64 {
    span.0.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Chance, Links};
    use std::time::Duration;

    const WAY: (NodeId, Direction) = (5, Direction::Down);

    fn with(kind: FaultKind) -> Vec<Fate> {
        let mut rules = Rules::new(1);
        rules.start(1, &kind);
        (0..10_000).map(|_| rules.fate(WAY.0, WAY.1)).collect()
    }

    fn share(fates: &[Fate], holds: impl Fn(&Fate) -> bool) -> f64 {
        fates.iter().filter(|fate| holds(fate)).count() as f64 / fates.len() as f64
    }

    #[test]
    fn chances_are_as_likely_as_they_say() {
        let (links, direction, chance) = (Links::All, Direction::Both, Chance::percent(30));
        let dropped = share(&with(FaultKind::Drop { links, direction, chance }), |fate| fate.copies == 0);
        let twice = share(&with(FaultKind::Duplicate { links, direction, chance }), |fate| fate.copies == 2);
        let overtaken = share(&with(FaultKind::Reorder { links, direction, chance }), |fate| fate.overtaken_ns > 0);
        for measured in [dropped, twice, overtaken] {
            assert!((0.28..0.32).contains(&measured), "{measured}");
        }
    }

    #[test]
    fn delays_are_spread_as_they_say() {
        let ms = |ms| Span(Duration::from_millis(ms));
        let (links, direction, chance) = (Links::All, Direction::Both, Chance::ALWAYS);
        let mean = |by| {
            let fates = with(FaultKind::Delay { links, direction, chance, by });
            let all: u64 = fates.iter().map(|fate| fate.delay_ns).sum();
            (all as f64 / fates.len() as f64 / 1e6, fates.iter().map(|fate| fate.delay_ns).max().unwrap())
        };
        assert_eq!(mean(Spread::Exactly(ms(3))), (3.0, 3_000_000));
        let (between, longest) = mean(Spread::Between(ms(2), ms(4)));
        assert!((2.9..3.1).contains(&between) && longest <= 4_000_000, "{between} {longest}");
        let (exponential, longest) = mean(Spread::Exponential(ms(3)));
        assert!((2.8..3.2).contains(&exponential) && longest <= 30_000_000, "{exponential} {longest}");
    }

    #[test]
    fn links_do_not_disturb_each_other_and_a_seed_says_it_all() {
        let drop = FaultKind::Drop { links: Links::All, direction: Direction::Both, chance: Chance::percent(50) };
        let fates = |seed, disturbed: bool| {
            let mut rules = Rules::new(seed);
            rules.start(1, &drop);
            let mut fates = Vec::new();
            for _ in 0..64 {
                fates.push(rules.fate(5, Direction::Down).copies);
                if disturbed {
                    rules.fate(5, Direction::Up);
                    rules.fate(6, Direction::Down);
                }
            }
            fates
        };
        assert_eq!(fates(1, false), fates(1, true));
        assert_ne!(fates(1, false), fates(2, false));
    }

    #[test]
    fn a_frame_is_damaged_once() {
        let mut rules = Rules::new(1);
        rules.start(9, &FaultKind::Corrupt { links: Links::Above(5), direction: Direction::Up });
        assert!(!rules.fate(6, Direction::Up).is_corrupt && !rules.fate(5, Direction::Down).is_corrupt);
        assert!(rules.fate(5, Direction::Up).is_corrupt);
        assert_eq!((rules.take_spent(), rules.take_spent()), (Some(9), None));
        assert!(!rules.fate(5, Direction::Up).is_corrupt);
    }
}
