use nodetree::scenario::runner::{Setup, judge_scenario, record_scenario};
use nodetree::scenario::{Scenario, check_settled};
use nodetree::testing::scenario::scenario;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeMap;

const NODES: [i64; 4] = [3, 5, 8, 10];

fn check(scenario: &Scenario) -> Result<(u64, u64, u64), String> {
    let setup = Setup::of(&scenario.system);
    let recorded = record_scenario(&setup, scenario).map_err(|error| format!("RUN {error}"))?;
    let s = judge_scenario(&setup, scenario, &recorded).map_err(|e| e.to_string())?;
    check_settled(&NODES, &recorded).map_err(|e| format!("SETTLE {e}"))?;
    Ok((s.judged_exactly, s.judged_leniently, s.not_judged))
}

fn class(error: &str) -> String {
    let mut out = String::new();
    for line in error.lines().take(3) {
        for c in line.chars().take(160) {
            if c.is_ascii_digit() {
                if !out.ends_with('#') {
                    out.push('#');
                }
            } else {
                out.push(c);
            }
        }
        out.push('|');
    }
    out
}

fn shrink(tree: &mut impl ValueTree<Value = Scenario>, class_of: &str) -> (Scenario, String) {
    let mut best = (tree.current(), String::new());
    for _ in 0..3000 {
        let s = tree.current().settled(&NODES);
        let r = std::panic::catch_unwind(|| check(&s)).unwrap_or(Err("PANIC".into()));
        match r {
            Err(e) if class(&e).chars().take(40).eq(class_of.chars().take(40)) => {
                best = (s, e);
                if !tree.simplify() {
                    break;
                }
            }
            _ => {
                if !tree.complicate() {
                    break;
                }
            }
        }
    }
    best
}

#[test]
fn survey() {
    let cases: u32 = std::env::var("SURVEY").ok().and_then(|s| s.parse().ok()).unwrap_or(5000);
    let seed: u64 = std::env::var("SURVEY_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut handles = vec![];
    for t in 0..2u64 {
        handles.push(std::thread::spawn(move || {
            let mut runner = TestRunner::new(Config {
                rng_seed: RngSeed::Fixed(seed * 10 + t),
                failure_persistence: None,
                ..Config::default()
            });
            let strategy = scenario();
            let mut found: BTreeMap<String, u64> = BTreeMap::new();
            let mut sum = (0u64, 0u64, 0u64);
            for i in 0..cases / 2 {
                let mut tree = strategy.new_tree(&mut runner).unwrap();
                let s = tree.current().settled(&NODES);
                let r = std::panic::catch_unwind(|| check(&s)).unwrap_or(Err("PANIC".into()));
                match r {
                    Ok((a, b, c)) => {
                        sum.0 += a;
                        sum.1 += b;
                        sum.2 += c;
                    }
                    Err(e) => {
                        let class: String = class(&e);
                        let n = found.entry(class.clone()).or_default();
                        *n += 1;
                        if *n == 1 && found.len() < 14 {
                            let (small, why) = shrink(&mut tree, &class);
                            let path = format!("/tmp/props/{t}-{i}.ron");
                            std::fs::write(&path, small.to_ron()).unwrap();
                            std::fs::write(format!("/tmp/props/{t}-{i}.why"), format!("{why}\n{small}")).unwrap();
                        }
                    }
                }
            }
            (found, sum)
        }));
    }
    for h in handles {
        let (found, sum) = h.join().unwrap();
        println!("{sum:?}");
        for (c, n) in found {
            println!("{n:6} {c}");
        }
    }
}
