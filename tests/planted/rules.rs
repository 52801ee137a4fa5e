//! What the rules of links say of frames, beside what they promise.

use std::collections::BTreeMap;

use nodetree::faults::{Chance, Direction, Fate, FaultKind, Links, Rules};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What happens to rules.
#[derive(Clone, Debug)]
pub enum RuleStep {
    /// A fault begins; they are numbered from 1.
    Start(FaultKind),
    /// It is over.
    Heal(u64),
    /// A frame goes over the link above this node, that way.
    Frame(i64, Direction),
}

const WAYS: [(i64, Direction); 4] =
    [(1, Direction::Down), (1, Direction::Up), (2, Direction::Down), (2, Direction::Up)];

pub fn rule_steps() -> impl Strategy<Value = Vec<RuleStep>> {
    let on = || (1_i64..3, select(vec![Direction::Both, Direction::Down, Direction::Up]));
    let chance = Chance::percent(50);
    let kind = prop_oneof![
        on().prop_map(|(id, direction)| FaultKind::Cut { links: Links::Above(id), direction }),
        on().prop_map(|(id, direction)| FaultKind::Corrupt { links: Links::Above(id), direction }),
        on().prop_map(move |(id, direction)| FaultKind::Drop { links: Links::Above(id), direction, chance }),
        Just(FaultKind::Duplicate { links: Links::All, direction: Direction::Both, chance }),
    ];
    let step = prop_oneof![
        2 => kind.prop_map(RuleStep::Start),
        1 => (1_u64..4).prop_map(RuleStep::Heal),
        5 => select(WAYS.to_vec()).prop_map(|(id, way)| RuleStep::Frame(id, way)),
    ];
    vec(step, 1..20)
}

fn is_on(kind: &FaultKind, (id, way): (i64, Direction)) -> bool {
    kind.links().is_some_and(|(links, direction)| {
        (links == Links::All || links == Links::Above(id)) && (direction == Direction::Both || direction == way)
    })
}

/// Each frame has the fate of the faults on its way, and the one that it would have if nothing went over other ways.
pub fn check_rules(steps: &[RuleStep]) -> Result<(), String> {
    let (mut rules, mut active, mut count) = (Rules::new(7), BTreeMap::new(), 0);
    let mut alone = WAYS.map(|way| (way, Rules::new(7)));
    for step in steps {
        match step {
            RuleStep::Start(kind) => {
                count += 1;
                active.insert(count, kind.clone());
                rules.start(count, kind);
                alone.iter_mut().for_each(|(_, rules)| rules.start(count, kind));
            }
            RuleStep::Heal(number) => {
                if rules.heal(*number) != active.remove(number).is_some() {
                    return Err(format!("it is not right whether fault {number} was there"));
                }
                for (_, rules) in &mut alone {
                    rules.heal(*number);
                }
            }
            RuleStep::Frame(id, way) => {
                let fate = rules.fate(*id, *way);
                check_fate(fate, &active, (*id, *way))?;
                while let Some(number) = rules.take_spent() {
                    active.remove(&number);
                    let others = alone.iter_mut().filter(|(other, _)| *other != (*id, *way));
                    for (_, rules) in others {
                        rules.heal(number);
                    }
                }
                active.retain(|_, kind| !(matches!(kind, FaultKind::Corrupt { .. }) && is_on(kind, (*id, *way))));
                let of_way = alone.iter_mut().find(|(other, _)| *other == (*id, *way));
                if of_way.is_some_and(|(_, rules)| rules.fate(*id, *way) != fate) {
                    return Err(format!("frames on other ways have changed what becomes of one on {id}, {way:?}"));
                }
            }
        }
    }
    Ok(())
}

fn check_fate(fate: Fate, active: &BTreeMap<u64, FaultKind>, way: (i64, Direction)) -> Result<(), String> {
    let on: Vec<_> = active.values().filter(|kind| is_on(kind, way)).collect();
    let has = |is_it: fn(&FaultKind) -> bool| on.iter().any(|kind| is_it(kind));
    let may_be_lost = has(|kind| matches!(kind, FaultKind::Cut { .. } | FaultKind::Drop { .. }));
    let must_be_lost = has(|kind| matches!(kind, FaultKind::Cut { .. }));
    let is_right = (fate.copies > 0 || may_be_lost)
        && (fate.copies == 0 || !must_be_lost)
        && (fate.copies < 2 || has(|kind| matches!(kind, FaultKind::Duplicate { .. })))
        && fate.is_corrupt == has(|kind| matches!(kind, FaultKind::Corrupt { .. }));
    if is_right { Ok(()) } else { Err(format!("{fate:?} on {way:?}, where there are {on:?}")) }
}
