//! Scripts: what a person might type, made by chance and made to shrink.
//!
//! Most lines mean something: ids come from four hot ones, and the first lines create some of them. One in ten is
//! nonsense. A script prints as text that can be pasted.

use std::fmt;
use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::oracle::{Action, Commands, Topology, UnknownName};

/// What is typed as one command: one line, or the three of an exec of `search`, joined by LF. Or a comment that says
/// what is done to a node from outside at this point, as by `kill` in another terminal: `#! kill 5`, `#! stop 5`,
/// `#! continue 5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line or lines, without the last LF.
    pub text: String,
}

/// A whole input, and the system that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The topology of the system.
    pub topology: Topology,
    /// The command set of the system.
    pub commands: Commands,
    /// What is typed, in order.
    pub steps: Vec<Step>,
    /// All in one write, or each when the one before has been answered.
    pub one_write: bool,
}

/// How a step begins that is done from outside.
const STRIKE: &str = "#! ";

const HOT_IDS: [i64; 4] = [5, 3, 8, 10];
const MOST_GROUPS: usize = 28;

/// Scripts of up to about 40 lines for such a system, faults included.
pub fn script(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    scripts(topology, commands, vec(group(commands), 1..MOST_GROUPS))
}

/// The same, and now and then a node is struck from outside: for systems whose nodes are processes.
pub fn struck_script(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    let strike = (select(vec!["kill", "kill", "stop", "continue"]), hot_id())
        .prop_map(|(word, id)| vec![step(format!("{STRIKE}{word} {id}"))]);
    let stopped = (hot_id(), vec(line(commands), 0..3)).prop_map(|(id, between)| {
        let stop = step(format!("{STRIKE}stop {id}"));
        std::iter::once(stop).chain(between).chain([step(format!("{STRIKE}continue {id}"))]).collect()
    });
    let one = prop_oneof![10 => group(commands), 2 => strike, 1 => stopped];
    scripts(topology, commands, vec(one, 1..MOST_GROUPS))
}

/// The same without `kill`, `pause` and `resume`: the oracle judges these exactly, in one write as well.
pub fn fault_free_script(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    let one = line(commands).prop_filter("a fault", |step| !step.is_fault()).prop_map(|step| vec![step]);
    scripts(topology, commands, vec(one, 1..40))
}

fn scripts(
    topology: Topology,
    commands: Commands,
    groups: impl Strategy<Value = Vec<Vec<Step>>>,
) -> impl Strategy<Value = Script> {
    (vec(create(), 0..6), groups, any::<bool>()).prop_map(move |(creates, groups, one_write)| {
        let steps = creates.into_iter().chain(groups.into_iter().flatten()).collect();
        Script { topology, commands, steps, one_write }
    })
}

fn step(text: impl Into<String>) -> Step {
    Step { text: text.into() }
}

/// Lines that belong together, mostly one.
fn group(commands: Commands) -> impl Strategy<Value = Vec<Step>> {
    let pause = (hot_id(), vec(line(commands), 0..4), select(vec![true, true, true, false]))
        .prop_map(|(id, between, resumes)| paused(id, between, resumes));
    let beat = (select(vec![10, 50, 100, 500, 1000]), 0_u64..8)
        .prop_map(|(ms, periods)| vec![step(format!("heartbit {ms}")), step(format!("wait {}", ms * periods))]);
    prop_oneof![
        16 => line(commands).prop_map(|line| vec![line]),
        2 => pause,
        1 => beat,
    ]
}

fn paused(id: i64, between: Vec<Step>, resumes: bool) -> Vec<Step> {
    let resume = resumes.then(|| step(format!("resume {id}")));
    std::iter::once(step(format!("pause {id}"))).chain(between).chain(resume).collect()
}

fn hot_id() -> impl Strategy<Value = i64> {
    select(HOT_IDS.to_vec())
}

fn id() -> impl Strategy<Value = i64> {
    prop_oneof![
        14 => hot_id(),
        4 => -20_i64..200,
        1 => select(vec![0, -1, i64::MIN, i64::MAX, -2]),
    ]
}

fn create() -> impl Strategy<Value = Step> {
    let parent =
        prop_oneof![5 => hot_id().prop_map(Some), 2 => Just(None), 1 => Just(Some(-1)), 1 => id().prop_map(Some)];
    (id(), parent).prop_map(|(id, parent)| match parent {
        Some(parent) => step(format!("create {id} {parent}")),
        None => step(format!("create {id}")),
    })
}

fn line(commands: Commands) -> BoxedStrategy<Step> {
    let of_node = |word: &'static str| id().prop_map(move |id| step(format!("{word} {id}")));
    prop_oneof![
        8 => create(),
        12 => exec(commands),
        5 => of_node("ping"),
        4 => Just(step("pingall")),
        4 => of_node("remove"),
        3 => of_node("kill"),
        1 => of_node("pause"),
        2 => of_node("resume"),
        2 => Just(step("all")),
        3 => Just(step("tree")),
        1 => Just(step("wait")),
        2 => (0_u64..3000).prop_map(|ms| step(format!("wait {ms}"))),
        1 => Just(step("wait 6000")),
        1 => select(vec![0, 10, 100, 1000]).prop_map(|ms| step(format!("heartbit {ms}"))),
        1 => Just(step("help")),
        3 => nonsense(),
        2 => bad_exec(commands),
    ]
    .boxed()
}

fn exec(commands: Commands) -> BoxedStrategy<Step> {
    let request = match commands {
        Commands::Sum => vec(numbers(), 1..6).prop_map(|numbers| sum_of(&numbers)).boxed(),
        Commands::Dictionary => dictionary().boxed(),
        Commands::Timer => select(vec!["start", "stop", "time", "time"]).prop_map(|word| format!(" {word}")).boxed(),
        Commands::Search => {
            ("[ab]{1,12}", "[ab]{1,3}").prop_map(|(text, pattern)| format!("\n{text}\n{pattern}")).boxed()
        }
    };
    (id(), request).prop_map(|(id, request)| step(format!("exec {id}{request}"))).boxed()
}

fn numbers() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -1000_i64..1000, 1 => any::<i64>(), 1 => select(vec![i64::MIN, i64::MAX, 0])]
}

fn sum_of(numbers: &[i64]) -> String {
    let words: String = numbers.iter().map(|number| format!(" {number}")).collect();
    format!(" {}{words}", numbers.len())
}

fn dictionary() -> impl Strategy<Value = String> {
    let name = select(vec!["x", "x", "y", "Z9"]);
    let value = prop_oneof![Just(None), prop_oneof![4 => 0_i64..10_000, 1 => any::<i64>()].prop_map(Some)];
    (name, value).prop_map(|(name, value)| match value {
        Some(value) => format!(" {name} {value}"),
        None => format!(" {name}"),
    })
}

fn bad_exec(commands: Commands) -> BoxedStrategy<Step> {
    let requests: Vec<&'static str> = match commands {
        Commands::Sum => vec!["", " 0", " 2 1", " 1 1 1", " 1 x", " 1 9223372036854775808", " -1 1", " x 1"],
        Commands::Dictionary => vec!["", " bad-name", " x 1 2", " x y", " x 99999999999999999999", " x +1", " x -"],
        Commands::Timer => vec!["", " go", " start now", " TIME"],
        Commands::Search => vec!["\n\na", "\na\n", "\na b\na", " x\na\na", "\n#\n#", "\nab\nabc-"],
    };
    let lone: Vec<&'static str> = match commands {
        Commands::Search => vec!["exec\nping 1\nkill 1", "exec x\na\na"],
        _ => vec!["exec", "exec x 1", "exec 99999999999999999999 x"],
    };
    let with_id = (id(), select(requests)).prop_map(|(id, request)| step(format!("exec {id}{request}")));
    prop_oneof![3 => with_id, 1 => select(lone).prop_map(step)].boxed()
}

fn nonsense() -> impl Strategy<Value = Step> {
    let lines = vec![
        "fly 1",
        "create",
        "create x",
        "create 1 x",
        "create 1 2 3",
        "create 99999999999999999999",
        "ping",
        "ping abc",
        "ping 1 2",
        "ping +1",
        "pingall 1",
        "heartbit",
        "heartbit -5",
        "heartbeat 9",
        "heartbit 86400001",
        "remove",
        "kill x",
        "pause",
        "resume 1 2",
        "all 1",
        "tree x",
        "wait -1",
        "wait 1 2",
        "wait x",
        "help me please",
        "exit now",
        "quit 1",
        "CREATE 1",
        "p\u{ef}ng 1",
        "# a comment",
        "  ping   0005  ",
        "\tping\t-0",
    ];
    select(lines).prop_map(step)
}

impl Step {
    /// Whether it may take a node down, or bring a stopped one back.
    pub fn is_fault(&self) -> bool {
        let word = self.text.split([' ', '\t', '\n']).find(|word| !word.is_empty()).unwrap_or("");
        matches!(word, "kill" | "pause" | "resume")
    }

    /// What is done from outside, and to which node.
    pub fn outside(&self) -> Option<(Action, i64)> {
        let (word, id) = self.text.strip_prefix(STRIKE)?.split_once(' ')?;
        let action = match word {
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            "continue" => Action::Continue,
            _ => return None,
        };
        Some((action, id.parse().ok()?))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# topology: {}", self.topology)?;
        writeln!(f, "# commands: {}", self.commands)?;
        writeln!(f, "# one-write: {}", self.one_write)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{}", step.text))
    }
}

/// A text that is no script: one of its first lines names a system that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The topology or the command set.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// `# one-write:` is neither `true` nor `false`.
    #[error("neither true nor false: {word:?}")]
    OneWrite {
        /// What stood there.
        word: String,
    },
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let (topology, commands) = (Topology::Tree, Commands::Dictionary);
        let mut script = Self { topology, commands, steps: Vec::new(), one_write: false };
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n').peekable();
        while let Some(line) = lines.next_if(|line| is_header(line)) {
            script.read_header(line)?;
        }
        while let Some(line) = lines.next() {
            let is_exec = line.split([' ', '\t']).find(|word| !word.is_empty()) == Some("exec");
            let more = if is_exec && script.commands == Commands::Search { 2 } else { 0 };
            let whole: Vec<&str> = std::iter::once(line).chain(lines.by_ref().take(more)).collect();
            script.steps.push(step(whole.join("\n")));
        }
        script.steps.retain(|step| !step.text.is_empty());
        Ok(script)
    }
}

fn is_header(line: &str) -> bool {
    ["# topology: ", "# commands: ", "# one-write: "].iter().any(|header| line.starts_with(header))
}

impl Script {
    fn read_header(&mut self, line: &str) -> Result<(), ScriptError> {
        match line.trim_start_matches("# ").split_once(": ") {
            Some(("topology", word)) => self.topology = word.parse()?,
            Some(("commands", word)) => self.commands = word.parse()?,
            Some((_, word)) => {
                self.one_write = word.parse().map_err(|_| ScriptError::OneWrite { word: word.to_owned() })?;
            }
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_script() -> impl Strategy<Value = Script> {
        (select(Topology::ALL.to_vec()), select(Commands::ALL.to_vec()))
            .prop_flat_map(|(t, c)| prop_oneof![script(t, c), struck_script(t, c)])
    }

    proptest! {
        #[test]
        fn a_script_survives_printing(script in any_script()) {
            let text = script.to_string();
            prop_assert_eq!(text.parse::<Script>(), Ok(script));
        }

        #[test]
        fn a_fault_free_script_has_no_fault(script in fault_free_script(Topology::Bst, Commands::Sum)) {
            prop_assert!(!script.steps.iter().any(Step::is_fault));
        }
    }

    #[test]
    fn the_lines_behind_an_exec_of_search_belong_to_it() {
        let script: Script = "# commands: search\nexec 1\n\n# x\nping 1\n".parse().expect("a script");
        assert_eq!(script.steps, [step("exec 1\n\n# x"), step("ping 1")]);
    }

    #[test]
    fn what_is_done_from_outside_is_a_comment_to_everybody_else() {
        let script: Script = "#! stop -7\n# kill 5\n#! fly 5\n".parse().expect("a script");
        let outside: Vec<_> = script.steps.iter().map(Step::outside).collect();
        assert_eq!(outside, [Some((Action::Stop, -7)), None, None]);
    }

    #[test]
    fn a_name_that_is_none_is_an_error() {
        assert!("# topology: ring\n".parse::<Script>().is_err());
        assert!("# one-write: yes\n".parse::<Script>().is_err());
    }
}
