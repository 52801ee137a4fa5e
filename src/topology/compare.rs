//! Carries the same steps out on the topology and on the model and looks for a difference.

use std::collections::BTreeSet;

use super::model::{Links, Model, Operation, Refusal, is_below};
use super::{CONTROL, Hop, Move, NodeId, Route, Slot, Topology, TopologyKind};

/// Carries the operations out on a [`Topology`] and on a [`Model`], and compares all that can be asked
/// after each one: links, children, plans carried out move by move, routes followed hop by hop (encoded
/// and decoded at each), drawings, invariants.
///
/// # Errors
/// What differs, and after which operation.
///
/// ```
/// use nodetree::topology::{TopologyKind, model::{Operation, check_operations}};
/// let operations = [Operation::Create { id: 7, parent: None }, Operation::Remove { id: 7 }];
/// assert_eq!(check_operations(TopologyKind::List, &operations), Ok(()));
/// ```
pub fn check_operations(kind: TopologyKind, operations: &[Operation]) -> Result<(), String> {
    let (mut topology, mut model) = (Topology::new(kind), Model::new(kind));
    for (number, operation) in operations.iter().enumerate() {
        step(&mut topology, &mut model, *operation)
            .and_then(|()| compare(&topology, &model.links()))
            .map_err(|difference| format!("{kind}: operation {number}, {operation:?}: {difference}"))?;
    }
    Ok(())
}

fn step(topology: &mut Topology, model: &mut Model, operation: Operation) -> Result<(), String> {
    match operation {
        Operation::Create { id, parent } if id != CONTROL && !topology.contains(id) => {
            create(topology, model, id, parent)
        }
        Operation::Again { id, parent } if topology.contains(id) => again(topology, model, id, parent),
        Operation::Remove { id } if topology.contains(id) => remove(topology, model, id),
        _ => Ok(()),
    }
}

fn create(topology: &mut Topology, model: &mut Model, id: NodeId, parent: Option<NodeId>) -> Result<(), String> {
    let before = model.links();
    let expected = model.create(id, parent);
    let place = topology.place(id, parent);
    same("refusal", place.map(drop).map_err(|_| Refusal::ParentNotFound), expected)?;
    if let Ok(place) = place {
        let links = model.links();
        let followed = before.iter().find(|(node, link)| links[node] != **link).map(|(node, _)| *node);
        same("place", (place.parent, place.slot), links[&id])?;
        same("follower", place.follower, followed)?;
        topology.insert(id, &place);
    }
    Ok(())
}

fn again(topology: &mut Topology, model: &mut Model, id: NodeId, parent: Option<NodeId>) -> Result<(), String> {
    let mut links = model.links();
    let expected = model.again(id, parent);
    let moves = match topology.place_again(id, parent) {
        Ok(place) => topology.move_to(id, &place).map_err(|_| Refusal::Cycle),
        Err(_) => Err(Refusal::ParentNotFound),
    };
    same("refusal", moves.as_ref().map(drop).map_err(|refusal| *refusal), expected)?;
    carry_out(&mut links, &moves.unwrap_or_default())?;
    same("links after the moves", links, model.links())
}

fn remove(topology: &mut Topology, model: &mut Model, id: NodeId) -> Result<(), String> {
    let mut links = model.links();
    model.remove(id);
    let plan = topology.plan_removal(id);
    carry_out(&mut links, &plan)?;
    links.remove(&id);
    same("links after the moves", links, model.links())?;
    same("moves", topology.remove(id), plan)
}

/// Each move must change something, no node may move twice, and none may come below itself.
fn carry_out(links: &mut Links, moves: &[Move]) -> Result<(), String> {
    let mut moved = BTreeSet::new();
    for step in moves {
        ensure(moved.insert(step.node), || format!("{step:?} is the second of its node"))?;
        let old = links.insert(step.node, (step.parent, step.slot));
        ensure(old.is_some_and(|old| old != (step.parent, step.slot)), || format!("{step:?} changes nothing"))?;
        ensure(!is_below(links, step.parent, step.node), || format!("{step:?} makes a cycle"))?;
    }
    Ok(())
}

fn compare(topology: &Topology, links: &Links) -> Result<(), String> {
    topology.check()?;
    same("ids", topology.ids().collect::<Vec<_>>(), links.keys().copied().collect())?;
    same("len", (topology.len(), topology.is_empty()), (links.len(), links.is_empty()))?;
    compare_below(topology, links, CONTROL)?;
    for (id, (parent, slot)) in links {
        same("parent", (topology.parent(*id), topology.slot(*id)), (Some(*parent), Some(*slot)))?;
        compare_below(topology, links, *id)?;
        compare_way(topology, links, *id)?;
    }
    let deepest = links.keys().map(|id| way(links, *id).len()).max();
    same("height", topology.height(), deepest.unwrap_or(0))?;
    compare_drawing(topology, links)
}

fn children(links: &Links, id: NodeId) -> Vec<(Slot, NodeId)> {
    let below = links.iter().filter(|(_, (parent, _))| *parent == id);
    let mut children: Vec<_> = below.map(|(child, (_, slot))| (*slot, *child)).collect();
    children.sort();
    children
}

fn compare_below(topology: &Topology, links: &Links, id: NodeId) -> Result<(), String> {
    let expected = children(links, id);
    for slot in [Slot::Any, Slot::Left, Slot::Right] {
        let first = expected.iter().find(|child| child.0 == slot).map(|child| child.1);
        same("child in a slot", topology.child_in(id, slot), first)?;
    }
    same("children", topology.children(id).collect(), expected)?;
    let found = topology.descendants(id);
    let mut seen = BTreeSet::from([id]);
    for node in &found {
        let is_in_order = seen.contains(&links[node].0) && seen.insert(*node);
        ensure(is_in_order, || format!("{node} comes before its parent, or twice, in {found:?}"))?;
    }
    let below = links.keys().filter(|node| **node != id && (id == CONTROL || is_below(links, **node, id)));
    same("number of descendants", found.len(), below.count())
}

/// The nodes from the control node down to `id`, which is the last.
fn way(links: &Links, id: NodeId) -> Vec<NodeId> {
    let mut way = Vec::new();
    let mut at = id;
    while let Some((parent, _)) = links.get(&at) {
        way.push(at);
        at = *parent;
    }
    way.reverse();
    way
}

fn compare_way(topology: &Topology, links: &Links, id: NodeId) -> Result<(), String> {
    let expected = way(links, id);
    same("depth", topology.depth(id), Some(expected.len()))?;
    let above = [CONTROL].into_iter().chain(expected.iter().copied().filter(|node| *node != id));
    let mut upwards: Vec<_> = topology.ancestors(id).collect();
    upwards.reverse();
    same("ancestors", upwards, above.collect())?;
    let (Some(first), Some(route)) = (topology.first_hop(id), topology.route(id)) else {
        return Err(format!("no way to {id}"));
    };
    same("way", follow(links, first, route, id), expected)
}

/// The nodes that a request for `to` passes.
fn follow(links: &Links, first: NodeId, mut route: Route, to: NodeId) -> Vec<NodeId> {
    let mut passed = vec![first];
    let mut at = first;
    while passed.len() <= links.len() {
        let sent = postcard::to_stdvec(&route).unwrap_or_default();
        route = postcard::from_bytes(&sent).unwrap_or(Route::Only);
        let below = children(links, at);
        let next = match route.next(at, to) {
            Hop::Here => break,
            Hop::Child(child) => below.iter().find(|(_, node)| *node == child),
            Hop::Slot(slot) => below.iter().find(|(taken, _)| *taken == slot),
            Hop::Only => below.first().filter(|_| below.len() == 1),
        };
        let Some((_, next)) = next else { break };
        at = *next;
        passed.push(at);
    }
    passed
}

fn compare_drawing(topology: &Topology, links: &Links) -> Result<(), String> {
    let drawing = topology.draw(|id| format!("{id} ({})", id.wrapping_mul(3)));
    let read = read_drawing(&drawing, topology.kind()).ok_or_else(|| format!("unreadable:\n{drawing}"))?;
    same("drawing", read, links.clone())
}

/// Reads a drawing back.
fn read_drawing(drawing: &str, kind: TopologyKind) -> Option<Links> {
    let mut links = Links::new();
    let mut lines = drawing.split('\n');
    let mut open = vec![lines.next()?.parse().ok()?];
    let mut halves = BTreeSet::new();
    for line in lines {
        let (level, text) = read_line(line)?;
        open.truncate(level);
        let parent = *open.get(level - 1)?;
        let slot = match kind {
            TopologyKind::List | TopologyKind::Tree => Slot::Any,
            _ if level == 1 => Slot::Any,
            _ if halves.insert(parent) => Slot::Left,
            _ => Slot::Right,
        };
        if text != "(none)" {
            let (id, label) = text.split_once(' ')?;
            let id: NodeId = id.parse().ok()?;
            links.insert(id, (parent, slot)).is_none().then_some(())?;
            (label == format!("({})", id.wrapping_mul(3))).then_some(())?;
            open.push(id);
        }
    }
    Some(links)
}

fn read_line(line: &str) -> Option<(usize, &str)> {
    let mut rest = line;
    let mut level = 1;
    while let Some(deeper) = rest.strip_prefix("│   ").or_else(|| rest.strip_prefix("    ")) {
        rest = deeper;
        level += 1;
    }
    let text = rest.strip_prefix("├── ").or_else(|| rest.strip_prefix("└── "))?;
    match text.rsplit_once(" depth ") {
        Some((text, depth)) => Some((depth.parse().ok().filter(|depth| level == 64 && *depth > 64)?, text)),
        None => Some((level, text)),
    }
}

fn same<T: std::fmt::Debug + PartialEq>(what: &str, found: T, expected: T) -> Result<(), String> {
    ensure(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}

fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(complaint()) }
}
