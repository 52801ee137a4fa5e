//! The replies with structure: the drawing of `tree` and the list of `pingall`.

use super::Topology;
use super::forest::{CONTROL, Forest, Side};

/// From this level on nothing is indented further.
const DEEPEST_INDENT: usize = 64;

/// One line of a drawing: what it may be.
pub(super) struct Line {
    pub(super) allowed: Vec<String>,
    /// How the levels above are drawn is not prescribed: compare without the indentation.
    is_deep: bool,
}

enum Entry {
    Node(i64),
    None,
}

/// The drawing of a forest. A node that `must` be down is drawn so, one that only `may` be in either way.
pub(super) fn lines(forest: &Forest, must: impl Fn(i64) -> bool, may: impl Fn(i64) -> bool) -> Vec<Line> {
    let mut lines = vec![Line { allowed: vec!["-1".to_owned()], is_deep: false }];
    let mut todo = entries(forest, CONTROL, "", 1);
    while let Some((entry, indent, level)) = todo.pop() {
        let is_last = todo.last().is_none_or(|next| next.2 != level);
        let connector = if is_last { "└── " } else { "├── " };
        let texts = match entry {
            Entry::None => vec!["(none)".to_owned()],
            Entry::Node(id) => labels(forest, id, must(id), may(id)),
        };
        lines.push(line(&texts, &indent, connector, level));
        if let Entry::Node(id) = entry {
            let below = format!("{indent}{}", if is_last { "    " } else { "│   " });
            todo.extend(entries(forest, id, &below, level + 1));
        }
    }
    lines
}

/// What stands directly below a node, the first one last.
fn entries(forest: &Forest, id: i64, indent: &str, level: usize) -> Vec<(Entry, String, usize)> {
    let mut entries: Vec<Entry> = forest.children(id).into_iter().map(Entry::Node).collect();
    let has_sides = matches!(forest.topology, Topology::Bst | Topology::Balanced) && id != CONTROL;
    if has_sides && forest.child_on(id, Side::Left).is_none() && !entries.is_empty() {
        entries.insert(0, Entry::None);
    }
    entries.into_iter().rev().map(|entry| (entry, indent.to_owned(), level)).collect()
}

fn labels(forest: &Forest, id: i64, must: bool, may: bool) -> Vec<String> {
    let up = forest.nodes.get(&id).map(|node| format!("{id} ({})", node.pid)).filter(|_| !must);
    let down = Some(format!("{id} (-) down")).filter(|_| must || may);
    up.into_iter().chain(down).collect()
}

fn line(texts: &[String], indent: &str, connector: &str, level: usize) -> Line {
    let is_deep = level > DEEPEST_INDENT;
    let allowed = texts.iter().flat_map(|text| match is_deep {
        false => vec![format!("{indent}{connector}{text}")],
        true if text == "(none)" => vec![text.clone(), format!("{text} depth {level}")],
        true => vec![format!("{text} depth {level}")],
    });
    Line { allowed: allowed.collect(), is_deep }
}

/// Compares a reply with the lines; what should have stood at the first difference, if there is one.
pub(super) fn compare(lines: &[Line], text: &str) -> Result<(), String> {
    let drawn: Vec<&str> = text.split('\n').collect();
    for (number, line) in lines.iter().enumerate() {
        let Some(drawn) = drawn.get(number) else {
            return Err(format!("line {}: {}", number + 1, line.allowed.join(" or ")));
        };
        let drawn = if line.is_deep { without_indent(drawn) } else { drawn };
        if !line.allowed.iter().any(|allowed| allowed == drawn) {
            return Err(format!("line {}: {}", number + 1, line.allowed.join(" or ")));
        }
    }
    if drawn.len() > lines.len() { Err(format!("{} lines", lines.len())) } else { Ok(()) }
}

fn without_indent(line: &str) -> &str {
    line.trim_start_matches(['│', '├', '└', '─', ' '])
}

/// The ids that a drawing shows as down.
pub(super) fn drawn_down(text: &str) -> Vec<i64> {
    let id = |line: &str| without_indent(line).split_once(" (-) down").and_then(|(id, _)| id.parse().ok());
    text.split('\n').filter_map(id).collect()
}

/// The ids that a reply to `pingall` lists; none where it is no such reply.
pub(super) fn down_ids(text: &str) -> Option<Vec<i64>> {
    let list = text.strip_prefix("Ok: ")?;
    if list == "-1" {
        return Some(Vec::new());
    }
    let ids: Vec<i64> = list.split(';').map(|id| id.parse().ok()).collect::<Option<_>>()?;
    let written: Vec<String> = ids.iter().map(ToString::to_string).collect();
    (ids.is_sorted_by(|a, b| a < b) && written.join(";") == list).then_some(ids)
}
