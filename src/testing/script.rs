//! Scripts made by chance and made to shrink.
//!
//! Most lines mean something: ids come from four hot ones, and the first lines create some of them. One in ten is
//! nonsense.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::oracle::{Commands, Topology};
use crate::scenario::script::STRIKE;
pub use crate::scenario::script::{Script, ScriptError, Step};

const HOT_IDS: [i64; 4] = [5, 3, 8, 10];
const MOST_GROUPS: usize = 28;

/// Scripts of up to about 40 lines for such a system, faults included.
pub fn script(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    scripts(topology, commands, vec(group(commands), 1..MOST_GROUPS))
}

/// The same, and now and then a node is struck from outside: for systems whose nodes are processes.
pub fn struck_script(topology: Topology, commands: Commands) -> impl Strategy<Value = Script> {
    let strike = (select(vec!["kill", "kill", "stop", "continue"]), hot_id())
        .prop_map(|(word, id)| vec![Step::from(format!("{STRIKE}{word} {id}"))]);
    let stopped = (hot_id(), vec(line(commands), 0..3)).prop_map(|(id, between)| {
        let stop = Step::from(format!("{STRIKE}stop {id}"));
        std::iter::once(stop).chain(between).chain([Step::from(format!("{STRIKE}continue {id}"))]).collect()
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

/// Lines that belong together, mostly one.
pub(super) fn group(commands: Commands) -> impl Strategy<Value = Vec<Step>> {
    let pause = (hot_id(), vec(line(commands), 0..4), select(vec![true, true, true, false]))
        .prop_map(|(id, between, resumes)| paused(id, between, resumes));
    let beat = (select(vec![10, 50, 100, 500, 1000]), 0_u64..8).prop_map(|(ms, periods)| {
        vec![Step::from(format!("heartbit {ms}")), Step::from(format!("wait {}", ms * periods))]
    });
    prop_oneof![
        16 => line(commands).prop_map(|line| vec![line]),
        2 => pause,
        1 => beat,
    ]
}

fn paused(id: i64, between: Vec<Step>, resumes: bool) -> Vec<Step> {
    let resume = resumes.then(|| Step::from(format!("resume {id}")));
    std::iter::once(Step::from(format!("pause {id}"))).chain(between).chain(resume).collect()
}

pub(super) fn hot_id() -> impl Strategy<Value = i64> {
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
        Some(parent) => Step::from(format!("create {id} {parent}")),
        None => Step::from(format!("create {id}")),
    })
}

fn line(commands: Commands) -> BoxedStrategy<Step> {
    let of_node = |word: &'static str| id().prop_map(move |id| Step::from(format!("{word} {id}")));
    prop_oneof![
        8 => create(),
        12 => exec(commands),
        5 => of_node("ping"),
        4 => Just(Step::from("pingall")),
        4 => of_node("remove"),
        3 => of_node("kill"),
        1 => of_node("pause"),
        2 => of_node("resume"),
        2 => Just(Step::from("all")),
        3 => Just(Step::from("tree")),
        1 => Just(Step::from("wait")),
        2 => (0_u64..3000).prop_map(|ms| Step::from(format!("wait {ms}"))),
        1 => Just(Step::from("wait 6000")),
        1 => select(vec![0, 10, 100, 1000]).prop_map(|ms| Step::from(format!("heartbit {ms}"))),
        1 => Just(Step::from("help")),
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
    (id(), request).prop_map(|(id, request)| Step::from(format!("exec {id}{request}"))).boxed()
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
    let with_id = (id(), select(requests)).prop_map(|(id, request)| Step::from(format!("exec {id}{request}")));
    prop_oneof![3 => with_id, 1 => select(lone).prop_map(Step::from)].boxed()
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
    select(lines).prop_map(Step::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::oracle::Action;

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
        assert_eq!(script.steps, [Step::from("exec 1\n\n# x"), Step::from("ping 1")]);
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
