//! The links of a computing node: those in use, and those that a re-link has begun with or is done with.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use rustc_hash::FxHashMap;

#[cfg(feature = "testing")]
use super::explored::Table;
use super::message::{LinkId, NodeKey, Role, Side};
use super::node_marker::Visit;
use super::small_map::SmallMap;
use crate::planted::{Bug, is_planted};
use crate::topology::{NodeId, Slot};

/// Who is below, over which link, and in which place.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Child {
    pub(super) key: NodeKey,
    pub(super) link: LinkId,
    pub(super) slot: Slot,
}

/// The children of a node: by their ids, and found by their links too.
#[derive(Clone, Default)]
pub(super) struct Children {
    by_id: SmallMap<NodeId, Child>,
    /// Where they are many, so that a link need not be looked for among all.
    ids: Option<Box<FxHashMap<LinkId, NodeId>>>,
}

impl Children {
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Ascending by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Child> {
        self.by_id.iter().map(|(_, child)| child)
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Child> {
        self.by_id.get(&id)
    }

    /// Who is at the other end.
    pub(super) fn at(&self, link: LinkId) -> Option<NodeId> {
        match &self.ids {
            Some(ids) => ids.get(&link).copied(),
            None => self.iter().find(|child| child.link == link).map(|child| child.key.id),
        }
    }

    fn holds(&self, link: LinkId) -> bool {
        self.at(link).is_some()
    }

    pub(super) fn set_slot(&mut self, id: NodeId, slot: Slot) {
        if let Some(child) = self.by_id.get_mut(&id) {
            child.slot = slot;
        }
    }

    /// The link over which the same child was reached before comes out.
    fn insert(&mut self, child: Child) -> Option<LinkId> {
        let old = self.by_id.insert(child.key.id, child).map(|old| old.link);
        if let Some(ids) = &mut self.ids {
            old.map(|old| ids.remove(&old));
            ids.insert(child.link, child.key.id);
        } else if matches!(self.by_id, SmallMap::Many(_)) {
            self.ids = Some(Box::new(self.iter().map(|child| (child.link, child.key.id)).collect()));
        }
        old.filter(|old| *old != child.link)
    }

    fn remove(&mut self, link: LinkId) -> Option<Child> {
        let id = self.at(link)?;
        let removed = self.by_id.remove(&id);
        if let Some(ids) = &mut self.ids {
            ids.remove(&link);
            if ids.is_empty() {
                self.ids = None;
            }
        }
        removed
    }
}

/// Where they are found is told by what they are.
impl Hash for Children {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { by_id, ids: _ } = self;
        by_id.hash(state);
    }
}

/// What most nodes have nothing of at most times: links that are not in use, and markers.
#[derive(Clone, Default, Hash)]
pub(super) struct Changing {
    /// Links that are kept until a `Switch`.
    pub(super) standby: BTreeMap<LinkId, Role>,
    /// Links over which the child's greeting has come before the control node's word about them.
    greeted: BTreeSet<LinkId>,
    /// Links that were in use and will be closed, and which of their ends the other one has.
    retired: BTreeMap<LinkId, Side>,
    pub(super) visit: Option<Visit>,
    pub(super) draining: Option<(u64, LinkId)>,
}

impl Changing {
    fn is_over(&self) -> bool {
        self.standby.is_empty()
            && self.greeted.is_empty()
            && self.retired.is_empty()
            && self.visit.is_none()
            && self.draining.is_none()
    }
}

/// The links of a node.
#[derive(Clone, Default, Hash)]
pub(super) struct Links {
    parent: Option<LinkId>,
    pub(super) children: Children,
    changing: Option<Box<Changing>>,
}

impl Links {
    pub(super) fn parent(&self) -> Option<LinkId> {
        self.parent
    }

    /// Which of the two ends of a link the other one has; none when the link is closed or was never open.
    pub(super) fn far_side(&self, link: LinkId) -> Option<Side> {
        if self.parent == Some(link) {
            return Some(Side::Upper);
        }
        if self.children.holds(link) {
            return Some(Side::Lower);
        }
        let changing = self.changing.as_ref()?;
        changing.standby.get(&link).map(|role| far_side(*role)).or_else(|| changing.retired.get(&link).copied())
    }

    pub(super) fn changing(&self) -> Option<&Changing> {
        self.changing.as_deref()
    }

    /// Changes what is changing; nothing is kept of it when it is over.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Changing) -> T) -> T {
        let changing = self.changing.get_or_insert_default();
        let result = change(changing);
        if changing.is_over() {
            self.changing = None;
        }
        result
    }

    /// As [`change`](Self::change), where nothing is to be changed when nothing is changing.
    pub(super) fn change_if_any<T: Default>(&mut self, change: impl FnOnce(&mut Changing) -> T) -> T {
        if self.changing.is_some() { self.change(change) } else { T::default() }
    }

    /// Uses a link. What it takes the place of stays open, but nothing is sent there any more.
    pub(super) fn use_link(&mut self, link: LinkId, role: Role) {
        match role {
            Role::Parent if self.parent.is_some() && is_planted(Bug::OldParentKept) => self.retire(link, Side::Upper),
            Role::Parent => {
                if let Some(old) = self.parent.replace(link).filter(|old| *old != link) {
                    self.retire(old, Side::Upper);
                }
            }
            Role::Child { key, slot } => {
                if let Some(old) = self.children.insert(Child { key, link, slot }) {
                    self.retire(old, Side::Lower);
                }
            }
        }
    }

    fn retire(&mut self, link: LinkId, far_side: Side) {
        self.change(|changing| changing.retired.insert(link, far_side));
    }

    /// Uses a link that is on standby.
    pub(super) fn activate(&mut self, link: LinkId) {
        if let Some(role) = self.change_if_any(|changing| changing.standby.remove(&link)) {
            self.use_link(link, role);
        }
    }

    /// Does not use the link to a child any more; it stays open.
    pub(super) fn retire_child(&mut self, link: LinkId) {
        if self.children.remove(link).is_some() {
            self.retire(link, Side::Lower);
        }
    }

    /// Whether the child at the other end of a link has greeted before; it is asked once.
    pub(super) fn was_greeted(&mut self, link: LinkId) -> bool {
        self.change_if_any(|changing| changing.greeted.remove(&link))
    }

    /// The child's greeting has come over a link. Whether the link is known; where it is not, that is remembered: the
    /// child was faster than the control node's word about it.
    pub(super) fn greet(&mut self, link: LinkId) -> bool {
        if self.children.holds(link) || self.is_on_standby(link) {
            return true;
        }
        if self.far_side(link).is_none() && !is_planted(Bug::EarlyGreetingForgotten) {
            self.change(|changing| changing.greeted.insert(link));
        }
        false
    }

    /// Whether it is kept until a `Switch`.
    pub(super) fn is_on_standby(&self, link: LinkId) -> bool {
        self.changing().is_some_and(|changing| changing.standby.contains_key(&link))
    }

    /// A link to a parent that is on standby.
    pub(super) fn next_parent(&self) -> Option<LinkId> {
        let standby = &self.changing()?.standby;
        standby.iter().find(|(_, role)| **role == Role::Parent).map(|(link, _)| *link)
    }

    /// The link is closed. The child that was reached over it comes out.
    pub(super) fn forget(&mut self, link: LinkId) -> Option<Child> {
        if self.parent == Some(link) {
            self.parent = None;
        }
        self.change_if_any(|changing| {
            changing.standby.remove(&link);
            changing.greeted.remove(&link);
            changing.retired.remove(&link);
        });
        self.children.remove(link)
    }
}

#[cfg(feature = "testing")]
impl Links {
    /// What an exploration looks at.
    pub(super) fn table(&self) -> Table {
        let children: Vec<_> = self.children.iter().map(|child| (child.link, child.key, child.slot)).collect();
        let nothing = Changing::default();
        let Changing { standby, greeted, retired, visit, draining } = self.changing().unwrap_or(&nothing);
        let used = self.parent.into_iter().chain(children.iter().map(|(link, ..)| *link));
        let mut open: Vec<LinkId> = used.chain(standby.keys().chain(retired.keys()).copied()).collect();
        open.sort_unstable();
        let words = [
            (!standby.is_empty()).then_some("links that are not used"),
            (!greeted.is_empty()).then_some("greetings on links that never came"),
            visit.is_some().then_some("a marker that visits"),
            // That of a link that was closed meanwhile is never looked at again.
            draining.filter(|(_, link)| open.contains(link)).map(|_| "a way that is drained"),
        ];
        let under_way = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Table { parent: self.parent, children, open, under_way }
    }
}

/// Which end of a link the other one has who has this role.
pub(super) fn far_side(role: Role) -> Side {
    if role == Role::Parent { Side::Upper } else { Side::Lower }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(id: NodeId) -> Role {
        Role::Child { key: NodeKey { id, incarnation: 1 }, slot: Slot::Any }
    }

    /// What may come over a link is known until it is closed, whether it is used or not.
    #[test]
    fn a_link_that_is_not_used_any_more_still_has_its_two_ends() {
        let mut links = Links::default();
        let far_sides = |links: &Links| [1, 2, 3, 4, 5].map(|link| links.far_side(LinkId(link)));
        let (up, down) = (Some(Side::Upper), Some(Side::Lower));
        links.use_link(LinkId(1), Role::Parent);
        links.use_link(LinkId(2), child(7));
        links.use_link(LinkId(4), child(8));
        links.change(|changing| changing.standby.insert(LinkId(3), Role::Parent));
        assert_eq!(far_sides(&links), [up, down, up, down, None]);
        links.activate(LinkId(3));
        links.retire_child(LinkId(2));
        links.use_link(LinkId(5), child(8));
        assert_eq!((links.parent(), links.children.iter().count()), (Some(LinkId(3)), 1));
        assert_eq!(far_sides(&links), [up, down, up, down, down]);
        for link in 1..=5 {
            links.forget(LinkId(link));
        }
        assert_eq!(far_sides(&links), [None; 5]);
        assert!(links.changing().is_none() && links.parent().is_none() && links.children.is_empty());
    }

    #[test]
    fn a_greeting_may_come_before_the_word_about_its_link() {
        let mut links = Links::default();
        assert!(!links.greet(LinkId(1)) && links.far_side(LinkId(1)).is_none());
        links.use_link(LinkId(1), child(7));
        assert!(links.was_greeted(LinkId(1)) && !links.was_greeted(LinkId(1)) && links.greet(LinkId(1)));
        assert!(links.changing().is_none());
    }

    #[test]
    fn many_children_are_found_by_their_links_too() {
        let mut links = Links::default();
        for id in (0..100).rev() {
            links.use_link(LinkId(1000 + id as u64), child(id));
        }
        assert!(links.children.iter().map(|child| child.key.id).eq(0..100));
        for id in 0..100 {
            assert_eq!(links.children.at(LinkId(1000 + id as u64)), Some(id));
            assert_eq!(links.forget(LinkId(1000 + id as u64)).map(|child| child.key.id), Some(id));
            assert!(links.children.at(LinkId(1000 + id as u64)).is_none());
        }
        assert!(links.children.is_empty() && links.children.ids.is_none());
    }
}
