//! Journeys by chance: strategies for property tests, and what a fuzzer's bytes make.

use arbitrary::{Arbitrary, Result, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Fate, Journey, MS, Op};
use crate::actors::session::SessionConfig;

/// What a fuzzer may ask for at most: time passes slowly when much is lost.
const OPS_MAX: usize = 64;

/// Journeys over a way that loses, repeats, delays and disorders; both ends have a timer.
pub fn over_a_lossy_way() -> impl Strategy<Value = Journey> {
    let parts = (any_ends(Some(200 * MS)), fates(), vec(op(false), 1..40));
    parts.prop_map(|(ends, fates, ops)| Journey { ends, fates, ops })
}

/// Journeys over ways that lose only what is on them when they are replaced; without timers.
pub fn over_replaced_ways() -> impl Strategy<Value = Journey> {
    (any_ends(None), vec(op(true), 1..40)).prop_map(|(ends, ops)| Journey { ends, fates: Vec::new(), ops })
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        4 => Just(Fate::Arrive),
        3 => Just(Fate::Lose),
        2 => (1..1_000u16).prop_map(Fate::Twice),
        3 => (0..20u16).prop_map(Fate::Late),
        1 => (0..2_000u16).prop_map(Fate::Late),
    ];
    // Runs of one fate are bursts: everything lost, everything disordered.
    let burst = (fate, prop_oneof![3 => 1..4usize, 1 => 1..40usize]).prop_map(|(fate, count)| vec![fate; count]);
    vec(burst, 0..24).prop_map(|bursts| bursts.concat())
}

fn op(relinks: bool) -> impl Strategy<Value = Op> {
    let end = || 0..2usize;
    let rare = if relinks {
        prop_oneof![
            (0..3usize).prop_map(|by| Op::Relink { by: (by < 2).then_some(by) }),
            end().prop_map(|end| Op::Probe { end }),
        ]
        .boxed()
    } else {
        prop_oneof![end().prop_map(|end| Op::Resend { end }), end().prop_map(|end| Op::Probe { end })].boxed()
    };
    prop_oneof![
        6 => (end(), 1..12u8, 0..60u16).prop_map(|(end, count, bytes)| Op::Push { end, count, bytes }),
        1 => (end(), 0..12u8).prop_map(|(end, back)| Op::GiveUp { end, back }),
        1 => end().prop_map(|end| Op::GiveUpAll { end }),
        2 => (end(), 1..6u8).prop_map(|(end, count)| Op::Take { end, count }),
        2 => (end(), any::<bool>()).prop_map(|(end, busy)| Op::Busy { end, busy }),
        4 => (0..6u16).prop_map(|ms| Op::Pass { ms }),
        2 => (0..800u16).prop_map(|ms| Op::Pass { ms }),
        2 => rare,
    ]
}

fn config(resend_after_ns: Option<u64>, eager_ack: bool) -> impl Strategy<Value = SessionConfig> {
    (prop_oneof![0..6u32, 6..24u32, 24..64u32, Just(1024u32)], prop_oneof![0..200usize, 100..400usize, Just(1 << 20)])
        .prop_map(move |(window, window_bytes)| SessionConfig { window, window_bytes, resend_after_ns, eager_ack })
}

/// Two ends with such a timer.
pub fn any_ends(resend_after_ns: Option<u64>) -> impl Strategy<Value = [SessionConfig; 2]> {
    // The same window at both ends; everything else is each end's own affair.
    (config(resend_after_ns, true), 0..200usize, any::<[bool; 2]>()).prop_map(|(config, window_bytes, eager)| {
        let other = SessionConfig { window_bytes, eager_ack: eager[1], ..config };
        [SessionConfig { eager_ack: eager[0], ..config }, other]
    })
}

impl<'a> Arbitrary<'a> for Journey {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        // Without a timer nothing may be lost but what is on a way that is replaced.
        let resend_after_ns = if input.arbitrary()? { Some(200 * MS) } else { None };
        let window = *input.choose(&[0, 1, 2, 3, 5, 8, 16, 64, 1024])?;
        let mut end = || -> Result<SessionConfig> {
            let window_bytes = *input.choose(&[0, 30, 100, 400, 1 << 20])?;
            Ok(SessionConfig { window, window_bytes, resend_after_ns, eager_ack: input.arbitrary()? })
        };
        let ends = [end()?, end()?];
        let fates = if resend_after_ns.is_some() {
            (0..input.int_in_range(0..=24)?).map(|_| input.arbitrary()).collect::<Result<_>>()?
        } else {
            Vec::new()
        };
        let mut ops = Vec::new();
        while !input.is_empty() && ops.len() < OPS_MAX {
            ops.push(input.arbitrary()?);
        }
        Ok(Self { ends, fates, ops })
    }
}

impl<'a> Arbitrary<'a> for Fate {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match input.int_in_range(0..=4)? {
            0 => Self::Arrive,
            1 => Self::Lose,
            2 => Self::Twice(input.int_in_range(1..=1_000)?),
            3 => Self::Late(input.int_in_range(0..=20)?),
            _ => Self::Late(input.int_in_range(0..=2_000)?),
        })
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let what = input.int_in_range(0..=9)?;
        let end = usize::from(input.arbitrary::<bool>()?);
        Ok(match what {
            0 | 1 => Self::Push { end, count: input.int_in_range(1..=12)?, bytes: input.int_in_range(0..=60)? },
            2 => Self::GiveUp { end, back: input.int_in_range(0..=12)? },
            3 => Self::GiveUpAll { end },
            4 => Self::Take { end, count: input.int_in_range(1..=6)? },
            5 => Self::Busy { end, busy: input.arbitrary()? },
            6 => Self::Resend { end },
            7 => Self::Probe { end },
            8 => Self::Pass { ms: input.int_in_range(0..=800)? },
            _ => Self::Relink { by: if input.arbitrary()? { Some(end) } else { None } },
        })
    }
}
