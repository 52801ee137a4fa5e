//! In real time: the same commands, and whether they get the same replies.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::{Input, Numbered, ReplayError, Replayed, is_input};
use crate::command_sets::{CommandSet, Timer};
use crate::commands::Ticket;
use crate::modes::NodeTree;
use crate::trace::{Event, What, text_of};

/// Submits each command when those are answered whose answers stand before it, and compares the replies.
pub(super) fn compare<C: CommandSet, R: BufRead>(
    tree: &NodeTree<C>,
    mut events: Numbered<R>,
) -> Result<Replayed, ReplayError> {
    let mut input = Input { tree, is_taken: false };
    let mut owed = Vec::new();
    let mut creates = BTreeMap::new();
    let mut commands = 0;
    while let Some((line, event)) = events.next() {
        let event = event.map_err(ReplayError::Damaged)?;
        match &event.what {
            What::Answered { .. } => owed.push((line, event)),
            what if is_input(what) => {
                if let Some(differs) = settle(tree, &mut owed, &creates)? {
                    return Ok(differs);
                }
                if let What::Submitted { command, text, .. } = what {
                    commands += 1;
                    creates.insert(*command, text.starts_with("create "));
                }
                input.hand_in(line, what, events.peek())?;
            }
            _ => {}
        }
    }
    Ok(settle(tree, &mut owed, &creates)?.unwrap_or(Replayed::SameReplies { commands }))
}

/// Waits for what was answered, and says the first reply that is another one.
fn settle<C: CommandSet>(
    tree: &NodeTree<C>,
    owed: &mut Vec<(u64, Event)>,
    creates: &BTreeMap<u64, bool>,
) -> Result<Option<Replayed>, ReplayError> {
    for (line, recorded) in owed.drain(..) {
        let What::Answered { command, text } = &recorded.what else { continue };
        let reply = text_of(&tree.wait(Ticket(*command))?.answer);
        let has_own_number = creates.get(command) == Some(&true) || C::NAME == Timer::NAME;
        if !(reply == *text || has_own_number && is_but_for_its_number(&reply, text)) {
            let what = What::Answered { command: *command, text: reply };
            let happened = Some(Box::new(Event { at_ns: tree.engine.now(), what }));
            return Ok(Some(Replayed::Differs { line, recorded: Some(Box::new(recorded)), happened }));
        }
    }
    Ok(None)
}

/// A process, and a time, have another number each time: `Ok: 4711`, `Ok:5: 120`.
fn is_but_for_its_number(one: &str, other: &str) -> bool {
    let number = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    one.starts_with("Ok:") && number(one) == number(other)
}
