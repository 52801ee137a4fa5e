use std::time::Duration;

use arbitrary::{Result, Unstructured};

use crate::command_sets::CommandSetKind;
use crate::error::ConfigError;
use crate::faults::{Fault, FaultPlan, WrongFault};
use crate::modes::{MAX_CAPACITY, MAX_SPARE_PROCESSES, Mode, Span, SystemConfig};
use crate::scenario::Scenario;
use crate::topology::TopologyKind;

/// How much an error says at most besides what it repeats of the text.
const WORDS_MAX: usize = 1_000;

/// What a person may write in RON: what must hold of a text, and of a value that the input makes.
type Kind = (fn(&str), fn(&mut Unstructured) -> Result<()>);

/// Every kind of RON that is read. Whoever adds one adds it here, at the end, so that the corpus keeps its meaning.
const KINDS: [Kind; 4] = [
    (check_system, check_any_system),
    (check_fault, |_| Ok(())),
    (check_plan, |_| Ok(())),
    (check_scenario, |_| Ok(())),
];

/// Any text as RON, and any value written as RON: reading is total, an error shows its place, and what was written is
/// read as the same.
///
/// The first byte says which kind, the second one whether the rest is a text or makes a value.
///
/// # Panics
/// When one of these does not hold.
pub fn ron_texts(data: &[u8]) {
    let [kind, what, rest @ ..] = data else { return };
    let (check_text, check_value) = KINDS[usize::from(*kind) % KINDS.len()];
    if what % 2 == 0 {
        check_text(&String::from_utf8_lossy(rest));
    } else {
        // What the input does not say is as if nothing had come.
        let _ = check_value(&mut Unstructured::new(rest));
    }
}

fn check_system(text: &str) {
    match SystemConfig::from_ron(text) {
        Ok(config) => check_written(&config),
        Err(error) => check_error(text, &error),
    }
}

fn check_written(config: &SystemConfig) {
    assert_eq!(SystemConfig::from_ron(&config.to_ron()).as_ref(), Ok(config));
}

/// The place is one of the text, and what is shown of it moves no cursor and is not long.
fn check_error(text: &str, error: &ConfigError) {
    let ConfigError::Text { line, column, shown, .. } = error else { panic!("{error:?}: {text:?}") };
    check_place(text, *line, *column);
    assert!(shown.len() <= WORDS_MAX && shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    let said = error.to_string();
    assert!(said.len() <= WORDS_MAX + 4 * text.len(), "{said:?}");
}

fn check_fault(text: &str) {
    match text.parse::<Fault>() {
        Ok(fault) => {
            assert_eq!(fault.to_ron().parse(), Ok(&fault).cloned());
            assert!(!fault.to_string().chars().any(char::is_control), "{fault:?}");
        }
        Err(wrong) => check_wrong(text, &wrong),
    }
}

fn check_plan(text: &str) {
    match text.parse::<FaultPlan>() {
        Ok(plan) => assert_eq!(plan.to_ron().parse(), Ok(plan)),
        Err(wrong) => check_wrong(text, &wrong),
    }
}

fn check_scenario(text: &str) {
    match text.parse::<Scenario>() {
        Ok(scenario) => assert_eq!(scenario.to_ron().parse(), Ok(scenario)),
        Err(ConfigError::Text { line, column, .. }) => check_place(text, line, column),
        Err(_) => {}
    }
}

fn check_wrong(text: &str, wrong: &WrongFault) {
    if let WrongFault::Text { line, column, .. } = wrong {
        check_place(text, *line, *column);
    }
}

fn check_place(text: &str, line: usize, column: usize) {
    let length = text.split('\n').nth(line - 1).map(|line| line.chars().count());
    assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{line}:{column} of {text:?}");
}

fn check_any_system(input: &mut Unstructured) -> Result<()> {
    let commands = [CommandSetKind::Sum, CommandSetKind::Dictionary, CommandSetKind::Timer, CommandSetKind::Search];
    let reply_timeout = if input.ratio(3, 4)? { input.int_in_range(1..=86_400_000)? } else { input.arbitrary()? };
    let capacity = if input.ratio(3, 4)? { input.int_in_range(1..=MAX_CAPACITY)? } else { input.arbitrary()? };
    let config = SystemConfig {
        topology: *input.choose(&TopologyKind::ALL)?,
        commands: *input.choose(&commands)?,
        mode: *input.choose(&Mode::ALL)?,
        seed: input.arbitrary()?,
        reply_timeout: Span(Duration::from_millis(reply_timeout)),
        capacity,
        spare_processes: if input.ratio(3, 4)? {
            input.int_in_range(0..=MAX_SPARE_PROCESSES)?
        } else {
            input.arbitrary()?
        },
    };
    match config.check() {
        Ok(()) => check_written(&config),
        Err(_) => assert!(SystemConfig::from_ron(&config.to_ron()).is_err(), "{config:?}"),
    }
    Ok(())
}
