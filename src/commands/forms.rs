//! The one table of what can be typed: for the parser, for `help`, and for whatever completes words.

use crate::command_sets::{CommandSet, StreamedText};

use super::command::CommandError;

/// What a line asks for, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `create`
    Create,
    /// `exec`
    Exec,
    /// `ping`
    Ping,
    /// `pingall`
    PingAll,
    /// `heartbit`, `heartbeat`
    Heartbit,
    /// `remove`
    Remove,
    /// `kill`
    Kill,
    /// `pause`
    Pause,
    /// `resume`
    Resume,
    /// `all`
    All,
    /// `tree`
    Tree,
    /// `wait`
    Wait,
    /// `fault`
    Fault,
    /// `heal`
    Heal,
    /// `faults`
    Faults,
    /// `help`
    Help,
    /// `exit`, `quit`
    Exit,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What it asks for.
    pub verb: Verb,
    /// The spellings of the first word.
    pub words: &'static [&'static str],
    /// How it is typed; nothing for `exec`, whose form is [`CommandSet::USAGE`].
    pub form: Option<&'static str>,
    /// What it does, in a few words.
    pub does: &'static str,
}

const fn row(verb: Verb, words: &'static [&'static str], form: &'static str, does: &'static str) -> Form {
    Form { verb, words, form: Some(form), does }
}

/// All of what can be typed.
pub const FORMS: [Form; 18] = [
    row(Verb::Create, &["create"], "create id [parent]", "create a node, or bring a dead one back"),
    Form { verb: Verb::Exec, words: &["exec"], form: None, does: "have a node do its work" },
    row(Verb::Ping, &["ping"], "ping id", "1 when the node is available, 0 when it is down"),
    row(Verb::PingAll, &["pingall"], "pingall", "the nodes that are down, -1 when there are none"),
    row(Verb::Heartbit, &["heartbit", "heartbeat"], "heartbit ms", "have every node report every ms; 0 stops it"),
    row(Verb::Remove, &["remove"], "remove id", "take a node away, its descendants live on"),
    row(Verb::Kill, &["kill"], "kill id", "kill a node as by kill -9"),
    row(Verb::Pause, &["pause"], "pause id", "stop a node as by SIGSTOP"),
    row(Verb::Resume, &["resume"], "resume id", "continue a stopped node"),
    row(Verb::All, &["all"], "all", "the ids of all nodes"),
    row(Verb::Tree, &["tree"], "tree", "draw the topology"),
    row(Verb::Wait, &["wait"], "wait [ms]", "wait so long, or until all is answered"),
    row(Verb::Fault, &["fault"], "fault what", "let something go wrong; `help fault` shows what"),
    row(Verb::Heal, &["heal"], "heal number", "end a fault"),
    row(Verb::Faults, &["faults"], "faults", "the faults that are armed or under way"),
    row(Verb::Help, &["help"], "help [command]", "what can be typed"),
    row(Verb::Exit, &["exit"], "exit", "end all nodes and leave"),
    row(Verb::Exit, &["quit"], "quit", "the same as exit"),
];

impl Form {
    /// The row of this word.
    ///
    /// ```
    /// use nodetree::commands::{Form, Verb};
    /// assert_eq!(Form::find("heartbeat").map(|form| form.verb), Some(Verb::Heartbit));
    /// assert_eq!(Form::find("Ping"), None);
    /// ```
    pub fn find(word: &str) -> Option<&'static Form> {
        FORMS.iter().find(|form| form.words.contains(&word))
    }

    /// How it is typed in systems of this command set.
    pub fn usage<C: CommandSet>(&self) -> &'static str {
        self.form.unwrap_or(C::USAGE)
    }
}

/// The text of `help` and of `help command`: lines, the last one empty and no other, so that a reader knows its end.
///
/// ```
/// use nodetree::command_sets::{Dictionary, Timer};
/// use nodetree::commands::help;
/// assert!(help::<Timer>(None)?.contains("exec id start|stop|time"));
/// assert!(help::<Dictionary>(Some("exec"))?.contains("exec 10 MyVar 5\n# Ok:10\n"));
/// assert_eq!(help::<Dictionary>(Some("quit"))?, "quit\n  the same as exit\n");
/// assert_eq!(help::<Dictionary>(Some("fly")).unwrap_err().to_string(), "Unknown command: fly");
/// # Ok::<(), nodetree::commands::CommandError>(())
/// ```
///
/// # Errors
/// [`CommandError::Unknown`] when there is no such command.
pub fn help<C: CommandSet>(command: Option<&str>) -> Result<String, CommandError> {
    let Some(word) = command else {
        let row = |form: &Form| format!("{:<26} {}\n", form.usage::<C>(), form.does);
        let set = format!("exec is that of the {} commands; `help exec` shows it by an example\n", C::NAME);
        return Ok(FORMS.iter().map(row).chain([set]).collect());
    };
    let form = Form::find(word).ok_or_else(|| CommandError::unknown(word))?;
    let text = format!("{}\n  {}\n", form.usage::<C>(), form.does);
    Ok(match form.verb {
        Verb::Exec => text + &exec_help::<C>(),
        Verb::Fault => text + FAULT_HELP,
        _ => text,
    })
}

/// What can go wrong, and how it is written.
const FAULT_HELP: &str = "\
  what is RON: a fault that is set off now, or (when: ..., what: ...)
  of a node: Kill(5)  Pause(5)  Resume(5)  Slow(node: 5, by: \"10ms\")  Skew(node: 5, ahead: \"1s\")
  of links:  Cut(links: Above(5))  Drop(links: All, chance: 0.3)  Duplicate(links: All, chance: 0.3)
             Reorder(links: All, chance: 0.3)  Delay(links: Above(5), by: Between(\"1ms\", \"9ms\"))
             Corrupt(links: Above(5)); each also with direction: Down or Up
  when:      At(\"2s\")  After(3)  Envelope(kind: Request, nth: 2, moment: Applied)
  an example, to be pasted; replies are behind #:
create 5
fault Cut(links: Above(5))
# Ok: 1
ping 5
# Ok: 0
heal 1
# Ok
";

/// What is behind the id, and an example.
fn exec_help<C: CommandSet>() -> String {
    let lines = match C::TEXT {
        StreamedText::Lines(2) => "  two more lines are its text and its pattern, as they are\n",
        StreamedText::Lines(_) => "  more lines follow, as they are\n",
        _ => "",
    };
    let name = C::NAME;
    match C::EXAMPLE {
        "" => format!("{lines}  the commands are those of {name}\n"),
        example => {
            format!("{lines}  an example of the {name} commands, to be pasted; replies are behind #:\n{example}\n")
        }
    }
}
