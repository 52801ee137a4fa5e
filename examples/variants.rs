//! One system for each of five variants of the assignment, from `examples/systems`, and a short dialogue with each.

use std::path::Path;

use nodetree::command_sets::CommandSetKind;
use nodetree::{CommandSet, Dictionary, NodeTree, Search, Sum, SystemConfig, Timer};

/// The file, then what is typed and what is answered, step by step; a notice that has come meanwhile stands behind.
const DIALOGUES: [&str; 5] = [
    "25.ron | create 10 -> Ok: 1000 | create 20 10 -> Ok: 1001 | create 30 7 -> Error: Parent not found
        | exec 20 MyVar 5 -> Ok:20 | exec 20 MyVar -> Ok:20: 5 | exec 10 MyVar -> Ok:10: 'MyVar' not found
        | heartbit 1000 -> Ok | kill 20 -> Ok | wait 5000 -> Ok, Heartbit: node 20 is unavailable now",
    "32.ron | create 8 -> Ok: 1000 | create 3 -> Ok: 1001 | create 11 -> Ok: 1002 | exec 11 x 7 -> Ok:11
        | remove 8 -> Ok | exec 11 x -> Ok:11: 7 | all -> Ok: 3 11
        | heartbit 100 -> Ok | kill 3 -> Ok | wait 500 -> Ok, Heartbit: node 3 is unavailable now",
    "33.ron | create 1 -> Ok: 1000 | create 2 1 -> Ok: 1001 | create 3 1 -> Ok: 1002 | exec 3 3 1 2 3 -> Ok:3: 6
        | exec 2 2 9223372036854775807 1 -> Ok:2: 9223372036854775808 | pingall -> Ok: -1 | kill 2 -> Ok | pingall -> Ok: 2",
    "41.ron | create 10 -> Ok: 1000 | create 7 -> Ok: 1001 | create 15 -> Ok: 1002 | create 12 -> Ok: 1003
        | exec 12 2 40 2 -> Ok:12: 42 | kill 15 -> Ok | pingall -> Ok: 12;15 | create 13 -> Error: Parent is unavailable",
    "2020-45.ron | create 1 -> Ok: 1000 | create 2 -> Ok: 1001 | create 3 -> Ok: 1002 | exec 3 start -> Ok:3
        | wait 1500 -> Ok | exec 3 time -> Ok:3: 1500 | exec 2 time -> Ok:2: 0 | heartbit 10 -> Ok | pause 2 -> Ok
        | wait 50 -> Ok, Heartbit: node 2 is unavailable now | resume 2 -> Ok
        | wait 20 -> Ok, Heartbit: node 2 is available again",
];

fn run<C: CommandSet>(config: SystemConfig, dialogue: &str) -> Result<(), Box<dyn std::error::Error>> {
    let tree = NodeTree::<C>::builder().config(config).start()?;
    for step in dialogue.split(" | ") {
        let (line, expected) = step.split_once(" -> ").ok_or("a step is a line and its reply")?;
        let reply = tree.line(line)?;
        let reply = tree.notices().try_iter().fold(reply, |text, notice| format!("{text}, {notice}"));
        assert_eq!(reply, expected.trim_end(), "{line}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let systems = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/systems");
    for dialogue in DIALOGUES {
        let (file, dialogue) = dialogue.split_once(" | ").ok_or("a dialogue begins with its file")?;
        let config = SystemConfig::from_file(&systems.join(file))?;
        println!("{file}: {} of {}", config.topology, config.commands);
        match config.commands {
            CommandSetKind::Sum => run::<Sum>(config, dialogue)?,
            CommandSetKind::Dictionary => run::<Dictionary>(config, dialogue)?,
            CommandSetKind::Timer => run::<Timer>(config, dialogue)?,
            CommandSetKind::Search => run::<Search>(config, dialogue)?,
        }
    }
    Ok(())
}
