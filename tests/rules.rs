//! What must never stand in the sources, and the compiler does not say.
//!
//! The rules read text, not Rust: they look at lines without comments and without the tests at the end of a file. Each
//! rule is shown to find what it forbids.

use std::fs;
use std::path::Path;

/// A file of `src`, without comments and tests.
struct Source {
    /// From `src` on: `actors/ping.rs`.
    path: String,
    code: Vec<String>,
    lines: usize,
}

/// The number of a line, from 1, and what stands there.
type Finding = (usize, String);

struct Rule {
    name: &'static str,
    /// What is wrong in one source, among all of them.
    finds: fn(&Source, &[Source]) -> Vec<Finding>,
    /// Texts that the rule must find, and where they would stand.
    wrong: &'static [(&'static str, &'static str)],
    right: &'static [(&'static str, &'static str)],
}

/// What stands there all the same: the rule, the file, what the line contains, and why.
const ALLOWED: &[(&str, &str, &str, &str)] = &[
    ("no panic on input", "actors/session/sender.rs", "an entry for every number", "an invariant of the window"),
    ("no panic on input", "actors/session/receiver.rs", "every slot below", "an invariant of the window"),
    ("no panic on input", "commands/result.rs", "can be encoded", "made from values, not from input"),
    ("no panic on input", "commands/result.rs", "are short", "made from values, not from input"),
    ("no order of a hash table", "actors/registry.rs", "values().all(", "it is so for all of them in any order"),
    ("no order of a hash table", "modes/process/spawner.rs", "members.owners.drain", "they are sorted then"),
    (
        "no order of a hash table",
        "modes/process/processes.rs",
        "own_links.take()",
        "the end of a program, in real time",
    ),
    ("no long file", "modes/mod.rs", "", "the facade, half of it documentation"),
];

const RULES: [Rule; 10] = [
    Rule {
        name: "pure code names no runtime, clock or chance",
        finds: |source, _| if is_pure(&source.path) { words(source, &IMPURE) } else { Vec::new() },
        wrong: &[
            ("topology/x.rs", "use std::net::TcpStream;"),
            ("commands/x.rs", "fn f() { tokio::spawn(g()) }"),
            ("actors/ping.rs", "let now = std::time::Instant::now();"),
            ("actors/session/x.rs", "use std::{thread, io};"),
            ("trace/mod.rs", "    SystemTime::now()"),
            ("command_sets/x.rs", "rand::random()"),
            ("modes/wire.rs", "use actix::Actor;"),
        ],
        right: &[
            ("actors/node_actor.rs", "use actix::Actor;"),
            ("topology/x.rs", "let random = operand + x; // tokio"),
            ("modes/threads.rs", "use std::thread;"),
        ],
    },
    Rule {
        name: "arrows point inwards",
        finds: |source, _| outward(source),
        wrong: &[
            ("actors/node_actor.rs", "use crate::modes::Mode;"),
            ("topology/x.rs", "use crate::actors::NodeKey;"),
            ("faults/x.rs", "use crate::actors::NodeKey;"),
            ("command_sets/x.rs", "crate::cli::print()"),
            ("modes/x.rs", "use crate::cli;"),
        ],
        right: &[("modes/x.rs", "use crate::actors::Order;"), ("actors/x.rs", "use crate::topology::NodeId;")],
    },
    Rule {
        name: "a mode does not know another",
        finds: |source, _| other_modes(source),
        wrong: &[
            ("modes/simulated.rs", "use super::threads::start;"),
            ("modes/threads.rs", "super::process::start()"),
            ("modes/process/node.rs", "use crate::modes::simulated::World;"),
        ],
        right: &[
            ("modes/mod.rs", "simulated::Simulated::start()"),
            ("modes/process/node.rs", "use std::process::Command;"),
        ],
    },
    Rule {
        name: "a shell does not branch on the mode",
        finds: |source, _| if is_in(source, "actors/") { words(source, &["Mode", "is_virtual"]) } else { Vec::new() },
        wrong: &[("actors/node_actor.rs", "if mode == Mode::Simulated {")],
        right: &[("modes/mod.rs", "Mode::Simulated => {}"), ("actors/x.rs", "let model = 1;")],
    },
    Rule {
        name: "the oracle does not ask the system",
        finds: |source, _| if is_oracle(source) { containing(source, &["crate::"]) } else { Vec::new() },
        wrong: &[("scenario/oracle/x.rs", "use crate::topology::Topology;")],
        right: &[("scenario/oracle/x.rs", "use super::Commands;"), ("scenario/runner.rs", "use crate::modes::Mode;")],
    },
    Rule {
        name: "no printing that panics",
        finds: |source, _| containing(source, &["println!", "print!", "dbg!"]),
        wrong: &[("cli/x.rs", "println!();"), ("cli/x.rs", "eprintln!(\"x\");"), ("actors/x.rs", "print!(\"x\")")],
        right: &[("cli/x.rs", "writeln!(out, \"x\")?; // println!")],
    },
    Rule {
        name: "no panic on input",
        finds: |source, _| if panics_matter(&source.path) { panics(source) } else { Vec::new() },
        wrong: &[("commands/parse.rs", "word.parse().unwrap()"), ("actors/x.rs", "it.expect(\"it is\")")],
        right: &[
            ("actors/x.rs", "it.unwrap_or_default()"),
            ("actors/x.rs", "f();\n#[cfg(test)]\nmod tests {\n    it.unwrap()\n}"),
        ],
    },
    Rule {
        name: "no unsafe",
        finds: |source, _| words(source, &["unsafe"]),
        wrong: &[("modes/x.rs", "unsafe { f() }"), ("modes/x.rs", "#[allow(unsafe_code)]\npub unsafe fn f() {}")],
        right: &[("modes/x.rs", "// unsafe\n#![forbid(unsafe_code)]")],
    },
    Rule {
        name: "no order of a hash table",
        finds: hash_orders,
        wrong: &[
            ("actors/x.rs", "    table: HashMap<u64, u8>,\n    for x in self.table.values() {"),
            ("actors/x.rs", "    table: HashSet<u64>,\n    self\n        .table\n        .iter()"),
            ("actors/x.rs", "    pub(super) table: RefCell<HashMap<u64, u8>>,\n    self.table.borrow_mut().drain()"),
            ("actors/x.rs", "    table: HashMap<u64, u8>,\n    for x in &self.table {"),
            ("actors/x.rs", "    table: HashMap<u64, u8>,\n    for x in std::mem::take(&mut self.table) {"),
            ("actors/x.rs", "    table: FxHashMap<u64, u8>,\n    std::mem::take(&mut self.table).into_values()"),
            ("actors/x.rs", "    let mut table = HashMap::new();\n    table.into_keys()"),
        ],
        right: &[
            ("actors/x.rs", "    table: HashMap<u64, u8>,\n    self.table.get(&1)"),
            ("actors/x.rs", "    table: BTreeMap<u64, u8>,\n    self.table.iter()"),
            ("actors/x.rs", "    table: HashMap<u64, u8>,\n    self.stable.iter(); self.table.get(&1).iter()"),
        ],
    },
    Rule {
        name: "no long file",
        finds: |source, _| {
            if source.lines > LINES { vec![(LINES + 1, format!("{} lines", source.lines))] } else { Vec::new() }
        },
        wrong: &[("topology/x.rs", LONG)],
        right: &[("topology/x.rs", "")],
    },
];

const LINES: usize = 400;
const LONG: &str = match std::str::from_utf8(&[b'\n'; LINES + 1]) {
    Ok(text) => text,
    Err(_) => "",
};

const IMPURE: [&str; 10] =
    ["actix", "actix_rt", "tokio", "net", "thread", "process", "Instant", "SystemTime", "rand", "rustix"];
const PURE: [&str; 7] = ["commands/", "command_sets/", "topology/", "faults/", "trace/", "actors/", "modes/wire.rs"];
const SHELLS: [&str; 3] = ["actors/node_actor.rs", "actors/node_life.rs", "actors/control_actor.rs"];

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|room| path.starts_with(room)) && !SHELLS.contains(&path)
}

fn is_in(source: &Source, room: &str) -> bool {
    source.path.starts_with(room)
}

fn is_oracle(source: &Source) -> bool {
    is_in(source, "scenario/oracle/") && !source.path.contains("/tests")
}

/// Tests may panic, and so may what only tests use.
fn panics_matter(path: &str) -> bool {
    is_pure(path) || SHELLS.contains(&path)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `name` stands in `line`, and is not part of a longer name.
fn places<'l>(line: &'l str, name: &'l str) -> impl Iterator<Item = usize> + 'l {
    line.match_indices(name).map(|(at, _)| at).filter(move |&at| {
        (name.starts_with('.') || !line[..at].chars().next_back().is_some_and(is_word))
            && !line[at + name.len()..].chars().next().is_some_and(is_word)
    })
}

fn found(source: &Source, is_wrong: impl Fn(&str) -> bool) -> Vec<Finding> {
    let lines = source.code.iter().enumerate().filter(|(_, line)| is_wrong(line));
    lines.map(|(at, line)| (at + 1, line.trim().to_owned())).collect()
}

fn words(source: &Source, names: &[&str]) -> Vec<Finding> {
    found(source, |line| names.iter().any(|name| places(line, name).next().is_some()))
}

fn containing(source: &Source, texts: &[&str]) -> Vec<Finding> {
    found(source, |line| texts.iter().any(|text| line.contains(text)))
}

fn panics(source: &Source) -> Vec<Finding> {
    containing(source, &[".unwrap()", ".expect("])
}

fn outward(source: &Source) -> Vec<Finding> {
    let forbidden: &[&str] = match source.path.split('/').next().unwrap_or_default() {
        "commands" | "command_sets" | "topology" | "faults" => {
            &["crate::actors", "crate::modes", "crate::trace", "crate::cli"]
        }
        "actors" | "trace" => &["crate::modes", "crate::cli"],
        "modes" => &["crate::cli"],
        _ => &[],
    };
    containing(source, forbidden)
}

fn other_modes(source: &Source) -> Vec<Finding> {
    let forbidden: &[&str] = match source.path.as_str() {
        "modes/simulated.rs" => &["threads::", "super::process", "modes::process"],
        "modes/threads.rs" => &["simulated::", "super::process", "modes::process"],
        path if path.starts_with("modes/process/") => &["simulated::", "threads::"],
        _ => &[],
    };
    containing(source, forbidden)
}

/// Who goes through a field or a variable that is declared as a hash table: in the same file, or, where the field is
/// not private, in the same room. What is passed on under another name is not seen.
fn hash_orders(source: &Source, all: &[Source]) -> Vec<Finding> {
    let room = |path: &str| path.rsplit_once('/').map_or("", |(room, _)| room).to_owned();
    let here = tables(source, |_| true);
    let around = all.iter().filter(|other| room(&other.path) == room(&source.path));
    // What another file declares is a field, and stands behind a dot.
    let fields = around.flat_map(|other| tables(other, |line| line.starts_with("pub")));
    let names: Vec<String> = fields.map(|name| format!(".{name}")).chain(here).collect();
    let mut found = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        // A chain goes on in the next lines.
        let rest = source.code[at + 1..].iter().take_while(|next| next.trim_start().starts_with('.'));
        let whole: String = std::iter::once(line.trim()).chain(rest.map(|next| next.trim())).collect();
        if names.iter().any(|name| goes_through(&whole, line.trim(), name)) {
            found.push((at + 1, whole));
        }
    }
    found
}

fn tables(source: &Source, which: impl Fn(&str) -> bool) -> Vec<String> {
    let declared =
        source.code.iter().map(|line| line.trim()).filter(|line| {
            (line.contains("HashMap") || line.contains("HashSet")) && !line.contains("fn ") && which(line)
        });
    let name = |line: &str| {
        let before = line.split([':', '=']).next().unwrap_or_default();
        before.split_whitespace().last().filter(|name| name.chars().all(is_word)).map(str::to_owned)
    };
    declared.filter(|line| !line.starts_with("use ")).filter_map(name).collect()
}

fn goes_through(whole: &str, line: &str, name: &str) -> bool {
    const WAYS: [&str; 9] = [
        ".iter()",
        ".iter_mut()",
        ".keys()",
        ".values()",
        ".values_mut()",
        ".drain()",
        ".into_iter()",
        ".into_keys()",
        ".into_values()",
    ];
    // What may stand between a table and the way through it; the parenthesis is that of `mem::take(&mut table)`.
    const LOCKS: [&str; 4] = [".borrow()", ".borrow_mut()", ".take()", ")"];
    places(whole, name).filter(|&at| at < line.len()).any(|at| {
        let mut rest = &whole[at + name.len()..];
        while let Some(inside) = LOCKS.iter().find_map(|lock| rest.strip_prefix(lock)) {
            rest = inside;
        }
        let is_looped = whole.starts_with("for ") && rest == " {" && whole[..at].contains(" in ");
        is_looped || WAYS.iter().any(|way| rest.starts_with(way))
    })
}

fn source(path: &str, text: &str) -> Source {
    let is_test = |line: &&str| *line == "#[cfg(test)]";
    let before_tests = text.lines().take_while(|line| !is_test(line) || !text.contains("\nmod tests {"));
    let code = before_tests.map(|line| without_comment(line).to_owned()).collect();
    Source { path: path.to_owned(), code, lines: text.lines().count() }
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(at, _)| at);
    // One in a string has an odd number of quotes before it.
    let mut starts = starts.filter(|&at| line[..at].matches('"').count().is_multiple_of(2));
    starts.next().map_or(line, |at| &line[..at])
}

fn all_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
                sources.push(source(&inside, &fs::read_to_string(&path).expect("a source can be read")));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

#[test]
fn the_sources_keep_the_rules() {
    let sources = all_sources();
    assert!(sources.len() > 50, "only {} sources", sources.len());
    let (mut broken, mut used) = (Vec::new(), vec![false; ALLOWED.len()]);
    for rule in &RULES {
        for source in &sources {
            for (line, what) in (rule.finds)(source, &sources) {
                let is_it = |(name, path, text, _): &(&str, &str, &str, &str)| {
                    *name == rule.name && *path == source.path && what.contains(text)
                };
                match ALLOWED.iter().position(is_it) {
                    Some(at) => used[at] = true,
                    None => broken.push(format!("src/{}:{line}: {}: {what}", source.path, rule.name)),
                }
            }
        }
    }
    let unused = ALLOWED.iter().zip(used).filter(|(_, used)| !used);
    broken.extend(unused.map(|(allowed, _)| format!("not needed any more, remove it from ALLOWED: {allowed:?}")));
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn each_rule_finds_what_it_forbids() {
    for rule in &RULES {
        for (path, text) in rule.wrong {
            let sources = [source(path, text)];
            assert!(!(rule.finds)(&sources[0], &sources).is_empty(), "{}: {path}: {text}", rule.name);
        }
        for (path, text) in rule.right {
            let sources = [source(path, text)];
            assert_eq!((rule.finds)(&sources[0], &sources), [], "{}: {path}: {text}", rule.name);
        }
    }
}

/// A field that is not private is seen from the other files of its room.
#[test]
fn a_hash_table_is_known_in_its_room() {
    let open = source("actors/one.rs", "    pub(super) table: HashMap<u64, u8>,");
    let private = source("actors/two.rs", "    other: HashMap<u64, u8>,");
    let user = source("actors/three.rs", "self.table.iter();\nself.other.iter();");
    let sources = [open, private, user];
    assert_eq!(hash_orders(&sources[2], &sources), [(1, "self.table.iter();".to_owned())]);
}

/// The body of an enum, without its attributes' insides.
fn body<'t>(text: &'t str, name: &str) -> &'t str {
    let start = text.find(&format!("pub enum {name} {{")).unwrap_or_else(|| panic!("there is no {name}"));
    let end = text[start..].find("\n}").unwrap_or_else(|| panic!("{name} does not end"));
    &text[start..start + end]
}

const DATA: [&str; 7] = ["RequestPiece", "ReplyPiece", "Bytes", "Vec<u8>", "Envelope", "Packet", "String"];

fn data_in(text: &str, name: &str) -> Vec<&'static str> {
    let code: String = body(text, name).lines().map(|line| format!("{}\n", without_comment(line))).collect();
    DATA.into_iter()
        .filter(|data| places(&code, data).next().is_some() || (*data == "Vec<u8>" && code.contains(data)))
        .collect()
}

/// Requests and their replies travel through the tree.
#[test]
fn no_request_travels_on_the_control_plane() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors/message.rs");
    let text = fs::read_to_string(path).expect("a source can be read");
    for name in ["ControlDown", "ControlUp"] {
        assert_eq!(data_in(&text, name), [""; 0], "{name}");
        let with_a_request =
            text.replace(&format!("pub enum {name} {{"), &format!("pub enum {name} {{ A(RequestPiece),"));
        assert_eq!(data_in(&with_a_request, name), ["RequestPiece"], "the test can fail");
    }
    assert_eq!(data_in("pub enum X {\n    A(Vec<u8>),\n}", "X"), ["Vec<u8>"]);
    assert_eq!(data_in("pub enum X {\n    A, // Bytes\n}\nstruct Y(Bytes);", "X"), [""; 0]);
}

/// F50: whatever the wall clock shows, all times are taken from the monotonic one. The log alone shows it.
#[test]
fn nothing_looks_at_the_wall_clock() {
    let wall = ["SystemTime", "Realtime", "chrono", "Utc"];
    let mut looking: Vec<String> =
        all_sources().iter().filter(|it| !words(it, &wall).is_empty()).map(|it| it.path.clone()).collect();
    looking.retain(|path| path != "cli/log.rs");
    assert_eq!(looking, [""; 0]);
    assert_eq!(words(&source("modes/x.rs", "let now = std::time::SystemTime::now();"), &wall).len(), 1, "it can fail");
}
