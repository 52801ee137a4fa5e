//! What a node may do, kept beside it: which links it has, and what it was asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::actors::NodeEffect;
use crate::actors::NodeInput;
use crate::actors::message::{ControlDown, ControlUp, Envelope, LinkId, NodeKey, Role, Side};

/// A node is given at most so many links.
pub(super) const LINKS_MAX: u8 = 12;

/// So many effects one input may have: a window of segments with their acks, and something for each link.
const EFFECTS_MAX: usize = 2 * 1024 + 4 * LINKS_MAX as usize + 16;

struct Known {
    role: Role,
    state: Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Until a switch.
    Kept,
    Now,
    /// Not any more, and never again.
    Over,
}

impl Known {
    fn is_used_child(&self) -> bool {
        self.role != Role::Parent && self.state == Use::Now
    }
}

/// The books on one node.
pub(super) struct Books {
    key: NodeKey,
    links_made: u8,
    open: BTreeMap<LinkId, Known>,
    /// Over which links a child has greeted.
    greeted: BTreeSet<LinkId>,
    parent: Option<LinkId>,
    /// Something was asked of this very life of it.
    asked: bool,
    /// How many answers to each wave it still owes at the most.
    waves: BTreeMap<u64, usize>,
    drains: BTreeSet<u64>,
    /// What has just come, and who was at the other end of a link that has just ended.
    came: Option<Envelope>,
    ended: Option<(LinkId, NodeKey)>,
    control: Option<ControlDown>,
}

fn demand(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Books {
    pub(super) fn new(key: NodeKey) -> Self {
        Self {
            key,
            links_made: 0,
            open: BTreeMap::new(),
            greeted: BTreeSet::new(),
            parent: None,
            asked: false,
            waves: BTreeMap::new(),
            drains: BTreeSet::new(),
            came: None,
            ended: None,
            control: None,
        }
    }

    /// The number of one more link; none when there were enough.
    pub(super) fn next_link(&mut self) -> Option<LinkId> {
        (self.links_made < LINKS_MAX).then(|| {
            self.links_made += 1;
            LinkId(self.links_made.into())
        })
    }

    /// Notes what is about to happen to the node.
    pub(super) fn comes(&mut self, input: &NodeInput) {
        (self.came, self.ended, self.control) = (None, None, None);
        match input {
            NodeInput::Envelope(link, envelope) => self.envelope_comes(*link, envelope),
            NodeInput::Closed(link) => self.ends(*link),
            NodeInput::Control(message) => {
                self.control = Some(message.clone());
                self.is_told(message);
            }
            NodeInput::LongDone(_) | NodeInput::Wake => {}
        }
    }

    fn envelope_comes(&mut self, link: LinkId, envelope: &Envelope) {
        if *envelope == Envelope::Greeting {
            self.greeted.insert(link);
        }
        let Some(known) = self.open.get(&link) else { return };
        if !envelope.may_come_from(side(known.role)) {
            return self.ends(link);
        }
        match envelope {
            Envelope::Request { to, .. } => self.asked |= *to == self.key,
            Envelope::Wave { wave, .. } => *self.waves.entry(*wave).or_default() += 1,
            _ => {}
        }
        self.came = Some(envelope.clone());
    }

    fn ends(&mut self, link: LinkId) {
        if let Some(Known { role: Role::Child { key, .. }, state: Use::Now }) = self.open.get(&link) {
            self.ended = Some((link, *key));
        }
    }

    fn is_told(&mut self, message: &ControlDown) {
        match message {
            ControlDown::Link { link, role, active } => {
                self.open.insert(*link, Known { role: *role, state: Use::Kept });
                if *active {
                    self.used(*link);
                }
            }
            ControlDown::Switch { activate, retire, .. } => {
                for link in retire {
                    if let Some(known) = self.open.get_mut(link).filter(|known| known.is_used_child()) {
                        known.state = Use::Over;
                    }
                }
                activate.iter().for_each(|&link| self.used(link));
            }
            ControlDown::Drain { epoch, .. } => drop(self.drains.insert(*epoch)),
            ControlDown::Unlink { links } => links.iter().for_each(|link| self.closed(*link)),
            ControlDown::Ask { .. } | ControlDown::Beat { .. } | ControlDown::Stop => {}
            ControlDown::Fault { .. } | ControlDown::Heal { .. } => {}
        }
    }

    fn used(&mut self, link: LinkId) {
        let Some(known) = self.open.get_mut(&link).filter(|known| known.state == Use::Kept) else { return };
        known.state = Use::Now;
        match known.role {
            Role::Parent => self.parent = Some(link),
            Role::Child { key, .. } => {
                let is_same = |role: &Role| matches!(role, Role::Child { key: other, .. } if other.id == key.id);
                let others = self.open.iter_mut().filter(|(other, _)| **other != link).map(|(_, known)| known);
                let replaced = others.filter(|known| known.is_used_child() && is_same(&known.role));
                replaced.for_each(|known| known.state = Use::Over);
            }
        }
    }

    fn closed(&mut self, link: LinkId) {
        self.open.remove(&link);
        if self.parent == Some(link) {
            self.parent = None;
        }
    }

    /// Looks at what the node wants done after what has come.
    pub(super) fn check(&mut self, effects: &[NodeEffect]) -> Result<(), String> {
        demand(effects.len() <= EFFECTS_MAX, || format!("{} effects", effects.len()))?;
        let wakes = effects.iter().filter(|effect| matches!(effect, NodeEffect::WakeAt(_))).count();
        demand(wakes <= 1, || format!("it asks {wakes} times to be woken"))?;
        effects.iter().try_for_each(|effect| match effect {
            NodeEffect::Send(link, envelope) => {
                self.check_way(*link, envelope).and_then(|()| self.check_right(envelope))
            }
            NodeEffect::Control(message) => self.check_word(message),
            NodeEffect::Close(link) => {
                self.closed(*link);
                if self.parent.is_none() && !matches!(self.control, Some(ControlDown::Unlink { .. })) {
                    // It has ended by itself: the one that is kept for it is used now.
                    let kept =
                        self.open.iter().find(|(_, known)| known.role == Role::Parent && known.state == Use::Kept);
                    kept.map(|(link, _)| *link).into_iter().for_each(|link| self.used(link));
                }
                Ok(())
            }
            NodeEffect::WakeAt(_) | NodeEffect::Long(_) | NodeEffect::End => Ok(()),
        })
    }

    /// The link is open, it is used, and the envelope goes the right way.
    fn check_way(&self, link: LinkId, envelope: &Envelope) -> Result<(), String> {
        let told = || format!("{envelope} over link {}", link.0);
        let known = self.open.get(&link).ok_or_else(|| format!("{}, which is closed", told()))?;
        let goes_down = envelope.may_come_from(Side::Upper) && side(known.role) == Side::Lower;
        let goes_up = envelope.may_come_from(Side::Lower) && side(known.role) == Side::Upper;
        demand(goes_down || goes_up, || format!("{}, the wrong way", told()))?;
        match envelope {
            Envelope::Greeting | Envelope::Marker { .. } => Ok(()),
            _ if goes_down => demand(known.state == Use::Now, || format!("{}, which is not used", told())),
            _ => demand(self.parent == Some(link), || format!("{}, which is not that of the parent", told())),
        }
    }

    /// It is the node's own, or what has just come.
    fn check_right(&mut self, envelope: &Envelope) -> Result<(), String> {
        let (key, came) = (self.key, self.came.as_ref());
        let is_passed_on = came == Some(envelope);
        let holds = match (envelope, came) {
            (Envelope::Greeting, _) => matches!(self.control, Some(ControlDown::Link { role: Role::Parent, .. })),
            (Envelope::Reply { from, .. }, _) => is_passed_on || (*from == key && self.asked),
            (Envelope::Pong { from, nonce }, Some(Envelope::Ping { to, nonce: asked, .. })) => {
                (*from, nonce, *to) == (key, asked, key)
            }
            (Envelope::Request { to, packet, .. }, Some(Envelope::Request { to: asked, packet: came, .. })) => {
                (to, packet) == (asked, came) && *to != key
            }
            (Envelope::Ping { to, nonce, .. }, Some(Envelope::Ping { to: asked, nonce: came, .. })) => {
                (to, nonce) == (asked, came) && *to != key
            }
            (
                Envelope::Unroutable { to },
                Some(Envelope::Request { to: asked, .. } | Envelope::Ping { to: asked, .. }),
            ) => to == asked,
            (Envelope::Wave { wave, .. }, Some(Envelope::Wave { wave: came, .. })) => wave == came,
            (Envelope::WaveReply { wave, last, .. }, _) => return self.check_wave_reply(*wave, *last),
            (Envelope::ChildGone { child, link }, _) => is_passed_on || self.ended == Some((*link, *child)),
            (Envelope::Marker { .. }, _) => true,
            _ => is_passed_on,
        };
        demand(holds, || format!("{envelope} after {came:?}"))
    }

    fn check_wave_reply(&mut self, wave: u64, last: bool) -> Result<(), String> {
        let owed = self.waves.get_mut(&wave).filter(|owed| **owed > 0);
        let owed = owed.ok_or_else(|| format!("wave {wave} is answered, and nobody has asked"))?;
        *owed -= usize::from(last);
        Ok(())
    }

    fn check_word(&self, message: &ControlUp) -> Result<(), String> {
        let is_child = |link| self.open.get(link).is_some_and(|known| side(known.role) == Side::Lower);
        let holds = match message {
            ControlUp::Linked { link } => is_child(link) && self.greeted.contains(link),
            ControlUp::Switched { epoch } => {
                matches!(&self.control, Some(ControlDown::Switch { epoch: told, .. }) if told == epoch)
            }
            ControlUp::Here { epoch } => self.control == Some(ControlDown::Ask { epoch: *epoch }),
            ControlUp::Drained { epoch } => self.drains.contains(epoch),
            ControlUp::LinkEnded { link } => self.open.get(link).is_some_and(|known| known.state == Use::Kept),
            // Said by whoever runs the node.
            ControlUp::LinkFailed { .. } | ControlUp::FaultTaken { .. } | ControlUp::Happened { .. } => false,
            ControlUp::Beat => true,
        };
        demand(holds, || format!("{message:?}"))
    }
}

/// Which end of a link the one at the other end has.
fn side(role: Role) -> Side {
    if role == Role::Parent { Side::Upper } else { Side::Lower }
}
