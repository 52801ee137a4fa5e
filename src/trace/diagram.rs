//! A trace as a sequence diagram.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::text::{CUT, Ms, Where, Words};
use super::{Event, Filter, What};
use crate::topology::{CONTROL, NodeId};

/// The narrowest diagram.
pub const MIN_WIDTH: usize = 60;

/// The column of the times, with the gap behind it.
const TIME_WIDTH: usize = 14;

/// What the words are given, however many lanes there are.
const WORDS_WIDTH: usize = 20;

/// The narrowest words, where the lanes alone take more than the width.
const LEAST_WORDS: usize = 16;

const LEAST_LANE: usize = 8;

/// The names of the lanes are repeated after so many lines.
const PAGE: usize = 40;

/// How a node is, as far as its lane shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Gone,
    Runs,
    Stopped,
}

impl State {
    fn mark(self) -> char {
        match self {
            Self::Gone => ' ',
            Self::Runs => '│',
            Self::Stopped => '┊',
        }
    }
}

/// Writes the chosen events as a sequence diagram: a lane for each node that has to do with them, the control node at
/// the left, then by id, and a line for each event, with its time before and its words behind the lanes.
///
/// Nodes that find no room in `width` columns share the last lane, `…`; those that the filter names, then those with
/// the most to show, have a lane of their own. Words are cut at the width.
///
/// # Errors
/// When it cannot be written.
///
/// ```
/// use nodetree::trace::{Event, Filter, What, diagram};
/// let events = [Event { at_ns: 1_234_567, what: What::Linked { link: 3, upper: -1, lower: 7 } }];
/// let mut text = Vec::new();
/// diagram(&mut text, &events, &Filter::default(), 80)?;
/// let lines = ["          ms  -1      7", "       1.234  ├┄┄┄┄┄┄┄┤         link 3", ""];
/// assert_eq!(String::from_utf8(text)?, lines.join("\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn diagram(out: &mut dyn Write, events: &[Event], filter: &Filter, width: usize) -> io::Result<()> {
    let mut lanes = Lanes::new(events, filter, width.max(MIN_WIDTH));
    let mut filter = filter.clone();
    let mut lines = 0;
    for event in events {
        let is_chosen = filter.chooses(event);
        if is_chosen && lines % PAGE == 0 {
            lanes.write_names(out)?;
        }
        lanes.before(&event.what);
        if is_chosen {
            lanes.write(out, event)?;
            lines += 1;
        }
        lanes.after(&event.what);
    }
    if lines == 0 {
        lanes.write_names(out)?;
    }
    lanes.write_shared(out)
}

struct Lanes {
    /// The nodes that have a lane of their own, from the left, and how they are.
    own: BTreeMap<NodeId, (usize, State)>,
    /// The nodes that share the last lane.
    shared: Vec<NodeId>,
    lane_width: usize,
    words_width: usize,
}

impl Lanes {
    fn new(events: &[Event], filter: &Filter, width: usize) -> Self {
        let counted = count(events, filter);
        let longest = counted.keys().map(|node| node.to_string().len()).max().unwrap_or(0);
        let lane_width = (longest + 2).max(LEAST_LANE);
        let room = ((width - TIME_WIDTH).saturating_sub(WORDS_WIDTH) / lane_width).max(2);
        let mut nodes: Vec<NodeId> = counted.keys().copied().filter(|node| *node != CONTROL).collect();
        let mut shared = Vec::new();
        if nodes.len() + 1 > room {
            let rank = |node: &NodeId| (!filter.nodes().contains(node), std::cmp::Reverse(counted[node]), *node);
            nodes.sort_by_key(rank);
            shared = nodes.split_off(room - 2);
            shared.sort_unstable();
        }
        nodes.sort_unstable();
        let from_left = std::iter::once(CONTROL).chain(nodes).enumerate();
        let own: BTreeMap<_, _> = from_left.map(|(at, node)| (node, (at, first_state(events, node)))).collect();
        let lanes = own.len() + usize::from(!shared.is_empty());
        let words_width = width.saturating_sub(TIME_WIDTH + lanes * lane_width + 2).max(LEAST_WORDS);
        Self { own, shared, lane_width, words_width }
    }

    fn count(&self) -> usize {
        self.own.len() + usize::from(!self.shared.is_empty())
    }

    fn place(&self, node: NodeId) -> usize {
        self.own.get(&node).map_or(self.own.len(), |(at, _)| *at) * self.lane_width
    }

    fn set(&mut self, node: NodeId, state: State) {
        if let Some((_, is)) = self.own.get_mut(&node) {
            *is = state;
        }
    }

    /// What an event begins is seen on its own line.
    fn before(&mut self, what: &What) {
        match what {
            What::Started { node, .. } | What::Continued { node } => self.set(*node, State::Runs),
            What::Stopped { node } => self.set(*node, State::Stopped),
            _ => {}
        }
    }

    /// What it ends is gone from the next line on.
    fn after(&mut self, what: &What) {
        if let What::Ended { node, .. } = what {
            self.set(*node, State::Gone);
        }
    }

    fn write_names(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = format!("{:>12}  ", "ms");
        for node in self.left_to_right() {
            line += &format!("{node:<width$}", width = self.lane_width);
        }
        if !self.shared.is_empty() {
            line.push(CUT);
        }
        writeln!(out, "{}", line.trim_end())
    }

    fn left_to_right(&self) -> Vec<NodeId> {
        let mut nodes: Vec<(usize, NodeId)> = self.own.iter().map(|(node, (at, _))| (*at, *node)).collect();
        nodes.sort_unstable();
        nodes.into_iter().map(|(_, node)| node).collect()
    }

    fn write(&self, out: &mut dyn Write, event: &Event) -> io::Result<()> {
        let mut cells = vec![' '; self.count() * self.lane_width];
        for (at, state) in self.own.values() {
            cells[at * self.lane_width] = state.mark();
        }
        if !self.shared.is_empty() {
            cells[self.own.len() * self.lane_width] = State::Runs.mark();
        }
        self.draw(&mut cells, &event.what);
        let lanes: String = cells.into_iter().collect();
        writeln!(out, "{:>12}  {lanes}  {}", Ms(event.at_ns), self.words(event))
    }

    /// The words; with where it happened, if that is on the lane that many share.
    fn words(&self, event: &Event) -> String {
        let place = Where::of(&event.what);
        let is_shared = place.nodes().any(|node| !self.own.contains_key(&node));
        let words = if is_shared { format!("[{place}] {}", Words(event)) } else { Words(event).to_string() };
        if words.chars().count() <= self.words_width {
            return words;
        }
        words.chars().take(self.words_width - 1).chain([CUT]).collect()
    }

    fn draw(&self, cells: &mut [char], what: &What) {
        let place = Where::of(what);
        match place {
            Where::At(node) => cells[self.place(node)] = mark(what),
            Where::Between(upper, lower) => stretch(cells, self.place(upper), self.place(lower), '┄', false),
            Where::Way(Some(from), Some(to)) => stretch(cells, self.place(from), self.place(to), '─', true),
            Where::Way(from, to) => {
                if let Some(node) = from.or(to) {
                    cells[self.place(node)] = '*';
                }
            }
        }
    }

    fn write_shared(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.shared.len() {
            0 => Ok(()),
            1 => writeln!(out, "{CUT} is node {}", self.shared[0]),
            count => {
                let named: Vec<String> = self.shared.iter().take(PAGE).map(NodeId::to_string).collect();
                let more = if count > PAGE { format!(" {CUT}") } else { String::new() };
                writeln!(out, "{CUT} is shared by {count} nodes: {}{more}", named.join(" "))
            }
        }
    }
}

/// How many of the chosen events name each node; the control node is always there.
fn count(events: &[Event], filter: &Filter) -> BTreeMap<NodeId, usize> {
    let mut filter = filter.clone();
    let mut counted = BTreeMap::from([(CONTROL, 0)]);
    for event in events {
        if filter.chooses(event) {
            Where::of(&event.what).nodes().for_each(|node| *counted.entry(node).or_default() += 1);
        }
    }
    counted
}

/// A node that the trace does not see start was there before.
fn first_state(events: &[Event], node: NodeId) -> State {
    let is_first = |event: &&Event| Where::of(&event.what).nodes().any(|other| other == node);
    match events.iter().find(is_first).map(|event| &event.what) {
        Some(What::Started { .. }) => State::Gone,
        _ => State::Runs,
    }
}

fn mark(what: &What) -> char {
    match what {
        What::Submitted { .. } | What::Handed { .. } => '>',
        What::Answered { .. } => '<',
        What::Noticed { .. } => '!',
        What::Began(_) | What::Started { .. } => '┬',
        What::Ended { .. } => '╳',
        What::Stopped { .. } => '┊',
        What::Fault { .. } => '↯',
        What::Healed { .. } => '✓',
        _ => '│',
    }
}

/// A line from one lane to another, over those between.
fn stretch(cells: &mut [char], from: usize, to: usize, line: char, is_arrow: bool) {
    if from == to {
        cells[from] = '*';
        return;
    }
    let (left, right) = (from.min(to), from.max(to));
    for cell in &mut cells[left + 1..right] {
        *cell = if *cell == ' ' { line } else { '┼' };
    }
    let (at_left, at_right) = if is_arrow && from < to {
        ('├', '│')
    } else if is_arrow {
        ('│', '┤')
    } else {
        ('├', '┤')
    };
    (cells[left], cells[right]) = (at_left, at_right);
    if is_arrow {
        let (head, mark) = if from < to { (right - 1, '>') } else { (left + 1, '<') };
        cells[head] = mark;
    }
}
